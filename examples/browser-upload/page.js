// @ts-check
import { connect, filesOfDirectory } from '@sluice/client/browser';

/** @type {import('@sluice/client/browser').BrowserClient | undefined} */
let client;

const place = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const say = (/** @type {string} */ text) => {
  place('status').textContent = text;
};

place('server').addEventListener('submit', async (event) => {
  event.preventDefault();
  const fields = new FormData(/** @type {HTMLFormElement} */ (event.target));
  const [url, userName, password] = ['url', 'userName', 'password'].map((name) => String(fields.get(name)));
  try {
    await client?.close();
    // A page that the server itself gives out needs none of these: connect() alone uses the cookie of its login.
    client = await connect({ url, userName, password, onRetry: ({ error }) => say(`${error.message}; trying again`) });
    say(`Connected to ${url}.`);
    place('files').hidden = false;
    await Promise.all([showPending(), showListing()]);
  } catch (error) {
    say(String(error));
  }
});

place('picker').addEventListener('change', ({ target }) => {
  const picker = /** @type {HTMLInputElement} */ (target);
  for (const file of picker.files ?? []) void upload(file.name, (how) => client?.upload(file, file.name, how));
  picker.value = '';
});

place('drop').addEventListener('dragover', (event) => event.preventDefault());
place('drop').addEventListener('drop', async (event) => {
  event.preventDefault();
  // Asked for at once: what was dropped is gone when this turn is over. With a handle, a file need not be picked again after a reload.
  const dropped = [...(event.dataTransfer?.items ?? [])].map((item) =>
    'getAsFileSystemHandle' in item ? item.getAsFileSystemHandle() : item.webkitGetAsEntry(),
  );
  for (const entry of await Promise.all(dropped)) {
    if (!entry) continue;
    if ('getFile' in entry) void upload(entry.name, (how) => client?.upload(entry, entry.name, how));
    else if ('values' in entry || 'createReader' in entry) void uploadFolder(entry);
    else entry.file((/** @type {File} */ file) => upload(file.name, (how) => client?.upload(file, file.name, how)));
  }
});

/**
 * Shows how far an upload is.
 *
 * @param {string} name
 * @param {(how: import('@sluice/client/browser').BrowserUploadOptions) => Promise<unknown> | undefined} run
 */
async function upload(name, run) {
  const bar = document.createElement('progress');
  const stop = new AbortController();
  const row = rowOf(place('transfers'), name, 'Stop', () => stop.abort(new Error('stopped')));
  row.append(bar);
  try {
    const onProgress = ({ bytesDone = 0, bytesTotal = 1 }) => {
      bar.max = bytesTotal;
      bar.value = bytesDone;
    };
    await run({ onProgress, signal: stop.signal });
    row.remove();
  } catch (error) {
    row.append(String(error));
    bar.remove();
  }
  await Promise.all([showPending(), showListing()]);
}

/** @param {FileSystemDirectoryHandle | FileSystemDirectoryEntry} folder */
async function uploadFolder(folder) {
  const row = rowOf(place('transfers'), folder.name);
  let count = 0;
  const result = await client?.uploadFiles(filesOfDirectory(folder, folder.name), {
    onFile: ({ target }) => {
      count += 1;
      row.textContent = `${count} files, last ${target}`;
    },
  });
  row.textContent = `${folder.name}: ${result?.files} files, ${result?.failed} failed`;
  await showListing();
}

async function showPending() {
  const pending = (await client?.listPendingUploads()) ?? [];
  place('pending').replaceChildren();
  for (const { id, name, target, bytesDone, size, needsFile, isRunning } of pending) {
    if (isRunning) continue;
    const text = `${name}, ${Math.floor((bytesDone / size) * 100)} % of it on the server as ${target}`;
    const row = rowOf(place('pending'), text, needsFile ? 'Pick it again' : 'Go on', async () => {
      const file = needsFile ? await pick() : undefined;
      row.remove();
      await upload(name, (how) => client?.resumeUpload(id, file, how));
    });
    rowOf(row, '', 'Drop it', async () => {
      await client?.dropPendingUpload(id);
      row.remove();
    });
  }
}

async function showListing() {
  const entries = (await client?.list('')) ?? [];
  place('listing').replaceChildren();
  for (const { name, kind, size } of entries) {
    const isFile = kind === 'file';
    rowOf(place('listing'), isFile ? `${name}, ${size} bytes` : `${name}/`, isFile ? 'Save' : '', () => save(name));
  }
}

/** @param {string} name on the server */
async function save(name) {
  if ('showSaveFilePicker' in window) {
    const picker = /** @type {(options: object) => Promise<FileSystemFileHandle>} */ (window.showSaveFilePicker);
    await client?.download(name, await picker.call(window, { suggestedName: name }));
    return;
  }
  const blob = await client?.downloadBlob(name);
  if (!blob) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** @returns {Promise<File | undefined>} */
function pick() {
  const input = document.createElement('input');
  input.type = 'file';
  input.click();
  return new Promise((resolve) => {
    input.onchange = () => resolve(input.files?.[0]);
  });
}

/** Names are shown as text, whatever is in them. */
function rowOf(/** @type {Element} */ list, /** @type {string} */ text, label = '', onClick = () => {}) {
  const row = document.createElement(list.tagName === 'LI' ? 'span' : 'li');
  row.append(text, ' ');
  if (label !== '') {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = label;
    button.onclick = onClick;
    row.append(button);
  }
  list.append(row);
  return row;
}

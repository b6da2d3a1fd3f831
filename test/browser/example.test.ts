import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../../examples/browser-upload/serve.mjs', import.meta.url));

describe('The example page', () => {
  it('is there with its script and the thread that digests, and says how to start the server', async () => {
    const child = spawn(process.execPath, [script, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    try {
      let said = '';
      for await (const text of child.stdout.setEncoding('utf8')) {
        said += text;
        if (said.includes('--http-origin')) break;
      }
      const [, origin] = /^page on (http:\/\/127\.0\.0\.1:\d+)\/$/m.exec(said) ?? assert.fail(said);
      const html = await (await fetch(`${origin}/`)).text();
      const linked = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, name]) => name!);
      assert.deepEqual(linked, ['page.css', 'page.js']);
      for (const name of [...linked, 'digest-worker.js']) {
        const answer = await fetch(`${origin}/${name}`);
        assert.equal(answer.status, 200, name);
        assert.ok((await answer.text()).length > 100, name);
      }
      const page = await (await fetch(`${origin}/page.js`)).text();
      assert.match(page, /new URL\("\.\/digest-worker\.js",\s*import\.meta\.url\)/);
    } finally {
      child.kill();
      await ended;
    }
  });
});

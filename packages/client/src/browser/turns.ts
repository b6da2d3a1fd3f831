const waiting: (() => void)[] = [];
let port: MessagePort | undefined;

/** Calls back when everything else that is due has had its turn; sooner than a timer, which browsers hold back. */
export function afterOthers(callback: () => void): void {
  waiting.push(callback);
  port ??= openPort();
  port.postMessage(undefined);
}

function openPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => waiting.shift()?.();
  (port1 as { unref?: () => void }).unref?.(); // in Node it would keep the process alive
  return port2;
}

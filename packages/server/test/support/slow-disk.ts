import { paceOfDevice } from '@sluice/files';

/** Makes the files of a device be read and written by the thread pool, always, every other time or never, until it is disposed. */
export function slowDisk(device: number, pacing: 'thread pool' | 'changing' | 'direct'): Disposable {
  const paces = [paceOfDevice(device), paceOfDevice(device, 'random')];
  let calls = 0;
  for (const pace of paces) {
    Object.defineProperty(pace, 'isDirect', {
      get: () => pacing === 'direct' || (pacing === 'changing' && calls++ % 3 === 0),
      configurable: true,
    });
  }
  return {
    [Symbol.dispose]: () => {
      for (const pace of paces) delete (pace as { isDirect?: boolean }).isDirect;
    },
  };
}

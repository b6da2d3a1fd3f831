import { MAX_PROXY_HEADER_BYTES, type ProxyHeader, parseProxyHeader } from './proxy-header.js';

/** Collects the header that a balancer sends before anything else, however it is cut up. */
export class ProxyHeaderReader {
  #collected = new Uint8Array(0);

  /**
   * Takes the next bytes, `source[start, end)`.
   *
   * @returns the header, and where in `source` it ends; `undefined` when all bytes were taken and more are needed
   * @throws {ProxyHeaderError} for bytes that are no header
   */
  push(source: Uint8Array, start: number, end: number): { header: ProxyHeader; end: number } | undefined {
    const before = this.#collected.length;
    const taken = Math.min(end - start, MAX_PROXY_HEADER_BYTES - before);
    const all = new Uint8Array(before + taken);
    all.set(this.#collected);
    all.set(source.subarray(start, start + taken), before);
    const header = parseProxyHeader(all);
    this.#collected = all;
    return header && { header, end: start + header.byteLength - before };
  }
}

/** A WebSocket whose other end, and whose browser, are the test. */
export class FakeSocket {
  binaryType = '';
  bufferedAmount = 0;
  onopen: ((event: unknown) => void) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  readonly sent: Uint8Array[] = [];
  isClosed = false;

  /** Copies, as browsers do. */
  send(data: Uint8Array): void {
    this.sent.push(data.slice());
  }

  close(): void {
    this.isClosed = true;
  }

  receive(...bytes: number[]): void {
    this.onmessage?.({ data: Uint8Array.from(bytes).buffer });
  }

  get asSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}

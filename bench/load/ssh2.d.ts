/** What the bench uses of the npm package ssh2, which brings no types along. */
declare module 'ssh2' {
  export interface SftpSession {
    open(path: string, flags: 'r', callback: (error: Error | undefined, handle: Buffer) => void): void;
    read(
      handle: Buffer,
      target: Buffer,
      offset: number,
      length: number,
      position: number,
      callback: (error: Error | undefined, bytesRead: number) => void,
    ): void;
  }

  export class Client {
    on(event: 'ready' | 'close', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    connect(options: { host: string; port: number; username: string; privateKey: Buffer }): this;
    sftp(callback: (error: Error | undefined, session: SftpSession) => void): void;
    setNoDelay(isOn: boolean): this;
    end(): void;
  }
}

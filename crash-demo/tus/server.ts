// usage: server.js FOLDER. An @tus/server that keeps uploads in the folder, as its README shows.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { packageOf } from './package-of.js';

interface TusServer {
  readonly Server: new (options: {
    path: string;
    datastore: unknown;
  }) => { listen(options: { host: string; port: number }): Server };
}
interface TusFileStore {
  readonly FileStore: new (options: { directory: string }) => unknown;
}

const { Server: TusServer } = await packageOf<TusServer>('@tus/server');
const { FileStore } = await packageOf<TusFileStore>('@tus/file-store');

const [, , directory] = process.argv;
const datastore = new FileStore({ directory: directory! });
const server = new TusServer({ path: '/files', datastore }).listen({ host: '127.0.0.1', port: 0 });
server.once('listening', () => console.log(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}`));

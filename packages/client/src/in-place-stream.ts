import type { Connection } from './connection.js';
import { dataPackets } from './data-packets.js';
import type { RemotePath } from './remote-path.js';
import { RemoteUpload } from './remote-upload.js';
import type { StreamUpload } from './stream-upload.js';
import type { UploadOutcome } from './upload-outcome.js';
import { PACKET_BYTES } from './upload-slab.js';

/** Data per packet to an original server, whose cost grows with the square of it (D13). */
const PLAIN_PACKET_BYTES = 32 << 10;

/** A stream that becomes a file on the server as it comes, as the original clients do it. */
export class InPlaceStream implements StreamUpload {
  readonly #upload: RemoteUpload;
  #bytes = 0;

  private constructor(upload: RemoteUpload) {
    this.#upload = upload;
  }

  static async open(connection: Connection, remote: RemotePath): Promise<InPlaceStream> {
    const upload = new RemoteUpload(connection, remote);
    await upload.restart(await upload.open());
    return new InPlaceStream(upload);
  }

  async write(piece: Uint8Array): Promise<void> {
    if (piece.length === 0) return;
    const { connection } = this.#upload;
    await connection.send(dataPackets(piece, connection.isExtended ? PACKET_BYTES : PLAIN_PACKET_BYTES));
    this.#bytes += piece.length;
  }

  async finish(): Promise<Pick<UploadOutcome, 'durability'>> {
    const durability = await this.#upload.finish(this.#bytes);
    return durability ? { durability } : {};
  }

  /** What was sent stays on the server. */
  async abandon(): Promise<void> {}
}

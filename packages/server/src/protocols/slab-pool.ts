import { DataSlab, dataResponseText } from '@sluice/wire';

/** Memory of one slab: a packet of 256 KiB fits, or several smaller ones. */
export const SLAB_BYTES = (256 << 10) + 256;

/** Free slabs that are kept, for each size of packet; and sizes that are kept at once. */
const MAX_FREE = 8;
const MAX_SIZES = 8;

/** Slabs with the heads of Data packets written into them, by the size of the packets. */
export class SlabPool {
  readonly #free = new Map<number, DataSlab[]>();
  readonly #text = dataResponseText();

  take(packetBytes: number): DataSlab {
    return this.#free.get(packetBytes)?.pop() ?? new DataSlab(new Uint8Array(SLAB_BYTES), this.#text, packetBytes);
  }

  give(packetBytes: number, slab: DataSlab): void {
    let free = this.#free.get(packetBytes);
    if (!free) {
      if (this.#free.size >= MAX_SIZES) this.#free.clear();
      free = [];
      this.#free.set(packetBytes, free);
    }
    if (free.length < MAX_FREE) free.push(slab);
  }
}

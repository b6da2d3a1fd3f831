/** What a stream yields; not all browsers' streams can be iterated. */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const reader = stream.getReader();
  let hasEnded = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      hasEnded = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!hasEnded) await reader.cancel().catch(() => {}); // nobody wants the rest
    reader.releaseLock();
  }
}

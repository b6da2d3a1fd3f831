// CyclePacket in plain Node, as a competent engineer writes it with the documented means: `data` events, a rest that is kept, a view of
// each packet, a switch over its text, the answers of one chunk in one write, and no reading while a peer takes nothing. It
// has no limits, deadlines or metrics.
//
// node plain-net.js      prints "listening on 127.0.0.1:PORT", serves until SIGTERM
import { createServer, type Socket } from 'node:net';

const THROUGHPUT_FLAG = 5;
const MAX_PACKET_LENGTH = 10_485_760;

const server = createServer({ noDelay: true }, (socket) => {
  let hasFlag = false;
  let parts: Buffer[] = [];
  let partsBytes = 0;
  let wantedBytes = 0;
  socket.on('error', () => socket.destroy());
  socket.on('drain', () => socket.resume());
  socket.on('data', (received) => {
    let chunk = received;
    if (!hasFlag) {
      if (chunk[0] !== THROUGHPUT_FLAG) return void socket.destroy();
      hasFlag = true;
      chunk = chunk.subarray(1);
    }
    parts.push(chunk);
    partsBytes += chunk.length;
    if (partsBytes < wantedBytes) return; // a large packet is joined once, not with every chunk
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, partsBytes);
    const answers: Buffer[] = [];
    let at = 0;
    wantedBytes = 0;
    while (bytes.length - at >= 8) {
      const packetLength = bytes.readUInt32LE(at);
      if (packetLength < 4 || packetLength > MAX_PACKET_LENGTH) return void socket.destroy();
      if (bytes.length - at < 4 + packetLength) {
        wantedBytes = 4 + packetLength;
        break;
      }
      if (!answerTo(bytes.subarray(at, at + 4 + packetLength), answers)) return void socket.destroy();
      at += 4 + packetLength;
    }
    partsBytes = bytes.length - at;
    parts = partsBytes === 0 ? [] : [bytes.subarray(at)];
    send(socket, answers);
  });
});

/** Appends the answer; returns whether the packet was valid. */
function answerTo(packet: Buffer, answers: Buffer[]): boolean {
  const textEnd = 8 + packet.readUInt32LE(4);
  if (textEnd > packet.length) return false;
  let command = '';
  let count = Number.NaN;
  for (const line of packet.toString('utf8', 8, textEnd).split('\r\n')) {
    const equals = line.indexOf('=');
    if (equals < 0) continue;
    const key = line.slice(0, equals).toLowerCase();
    if (key === 'command') command = line.slice(equals + 1);
    else if (key === 'count') count = Number(line.slice(equals + 1));
  }
  if (command !== 'CyclePacket' || !Number.isInteger(count)) return false;
  const text = `[Response]\r\nCommand=CyclePacket\r\nCode=0\r\nCount=${(count + 1) | 0}`;
  const head = Buffer.allocUnsafe(8 + text.length);
  head.writeUInt32LE(4 + text.length + packet.length - textEnd, 0);
  head.writeUInt32LE(text.length, 4);
  head.write(text, 8, 'latin1');
  answers.push(head, packet.subarray(textEnd));
  return true;
}

function send(socket: Socket, answers: Buffer[]): void {
  if (answers.length > 0 && !socket.write(Buffer.concat(answers))) socket.pause();
}

server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(`listening on 127.0.0.1:${address.port}`);
});

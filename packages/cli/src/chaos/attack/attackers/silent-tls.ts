import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import type { Attacker } from '../attacker.js';

export const silentTls: Attacker = {
  async play(field) {
    const hello = await clientHello();
    await field.hold((socket) => field.send(socket, hello), false);
  },
};

/** The first bytes of a client, as Node's own sends them. */
async function clientHello(): Promise<Buffer> {
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      this.emit('hello', chunk);
      done();
    },
  });
  const sent = once(wire, 'hello');
  const client = connect({ socket: wire, servername: 'localhost' });
  client.on('error', () => {}); // nobody answers
  const [hello] = (await sent) as [Buffer];
  client.destroy();
  return hello;
}

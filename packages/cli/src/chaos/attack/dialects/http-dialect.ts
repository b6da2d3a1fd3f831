import type { Dialect } from './dialect.js';

export const httpDialect: Dialect = {
  preamble: Buffer.alloc(0),
  opening: Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nX-Filler: '),
  filler: Buffer.from('a'),
  hugePrefixes: [
    Buffer.from('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2147483647\r\n\r\naaaa'),
    Buffer.from('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\naaaa'),
  ],
  request: Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
};

/** Requests that no studio can answer, as bytes: broken HTTP, broken headers, broken bodies, values that nothing is. */

const END = "\r\n\r\n"

/** @param token of the studio: what is wrong is something else */
export function malformed(token: string): string[] {
  const own = `Host: 127.0.0.1\r\nAuthorization: Bearer ${token}`
  const json = (method: string, path: string, body: string, more = "") =>
    `${method} ${path} HTTP/1.1\r\n${own}\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body, "latin1")}${END}${body}`
  return [
    ...BROKEN_LINES.map((line) => `${line}${END}`),
    ...BROKEN_HEADERS.map((header) => `GET /api/state HTTP/1.1\r\n${own}\r\n${header}${END}`),
    ...BROKEN_HOSTS.map((host) => `GET /api/state HTTP/1.1\r\n${host}\r\nAuthorization: Bearer ${token}${END}`),
    ...BROKEN_LENGTHS.map(
      (length) => `POST /api/train HTTP/1.1\r\n${own}\r\nContent-Type: application/json\r\n${length}`,
    ),
    ...BROKEN_PATHS.map((path) => `GET ${path} HTTP/1.1\r\n${own}${END}`),
    ...BROKEN_BODIES.map((body) => json("PATCH", "/api/clips", body)),
    ...BROKEN_VALUES.map(([method, path, body]) => json(method, path, body)),
    ...METHODS.map((method) => json(method, "/api/clips", "{}")),
    ...BROKEN_PIECES.map((path) => json("POST", path, "x")),
  ]
}

const BROKEN_LINES = [
  "GET",
  "GET /",
  "GET / HTTP/9.9",
  "GET / HTTP/1",
  "GET / FTP/1.1",
  "get / http/1.1",
  "GET  / HTTP/1.1",
  "GET\t/\tHTTP/1.1",
  " GET / HTTP/1.1",
  "G\u00c9T / HTTP/1.1",
  "FETCH / HTTP/1.1",
  "PRI * HTTP/2.0",
  "\u0000\u0001\u0002",
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
  "{}",
  `GET /${"a".repeat(100_000)} HTTP/1.1`,
  "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443",
  "GET /a b HTTP/1.1",
]

const BROKEN_HEADERS = [
  `X: ${"b".repeat(100_000)}`,
  Array.from({ length: 3000 }, (_, i) => `X-${i}: y`).join("\r\n"),
  "No colon",
  ": empty name",
  "Sp ace: x",
  "X: a\u0000b",
  "X: a\rb",
  " folded: x",
  "Transfer-Encoding: gzip",
  "Transfer-Encoding: chunked, identity",
  "Expect: the-unexpected",
]

const BROKEN_HOSTS = [
  "Host: a b",
  "Host: 127.0.0.1\r\nHost: c",
  "Host:",
  "X-Host: 127.0.0.1",
  "Host: 127.0.0.1@evil.example",
  "Host: 127.0.0.1/evil",
  "Host: 127.0.0.1:99999",
  "Host: [::1",
  "Host: \u00e9vil",
]

const BROKEN_LENGTHS = [
  `Content-Length: x${END}`,
  `Content-Length: -1${END}`,
  `Content-Length: 1e9${END}`,
  `Content-Length: 0x10${END}`,
  `Content-Length: 99999999999999999999${END}`,
  `Content-Length: 2\r\nContent-Length: 3${END}{}`,
  `Content-Length: 5\r\nTransfer-Encoding: chunked${END}zz`,
  `Transfer-Encoding: chunked${END}zz\r\n`,
  `Transfer-Encoding: chunked${END}-1\r\n{}\r\n0${END}`,
  `Transfer-Encoding: chunked${END}2\r\n{}{}\r\n0${END}`,
  `Transfer-Encoding: chunked${END}ffffffffffffffffff\r\n`,
]

const BROKEN_PATHS = [
  "/%zz",
  "/%",
  "/%E0%A4%A",
  "/%00",
  "/..%2f..%2fetc%2fpasswd",
  "//",
  "/api/clips/%00/media",
  "/api/clips/%E0%A4%A/media",
  "/api/clips/../../x/media",
  `/api/clips/${"a".repeat(5000)}/media`,
  "/api/bundle/%E0%A4%A",
  "/api/bundle/..%2fx",
  "/api/nothing",
  "/api",
]

const BROKEN_BODIES = [
  "",
  "{",
  "nothing",
  "'x'",
  '{"ids":["a"],}',
  "[".repeat(50_000),
  `"${"x".repeat(50_000)}`,
  "\u00ff\u00fe{",
  "null",
  "1e999",
  '{"ids":null}',
  '{"ids":["a"],"label":{"toString":1}}',
  '{"ids":[["a"]],"removed":true}',
  '{"ids":["a"],"removed":"yes"}',
  `{"ids":["${"a".repeat(101)}"],"removed":true}`,
  `{"ids":["a"],"label":"${"l".repeat(1001)}"}`,
]

const BROKEN_VALUES: readonly [method: string, path: string, body: string][] = [
  ["PUT", "/api/classes", '{"0":"a","length":1}'],
  ["PUT", "/api/classes", "[1]"],
  ["PUT", "/api/classes", '["\\u0000"]'],
  ["POST", "/api/train", '{"epochs":1.5,"resume":false}'],
  ["POST", "/api/train", '{"epochs":"1","resume":false}'],
  ["POST", "/api/train", '{"epochs":null}'],
  ["POST", "/api/train", '{"epochs":null,"resume":false,"out":"/etc"}'],
  ["POST", "/api/describe", '{"ids":[null]}'],
  ["POST", "/api/describe", '{"model":"http://evil.example"}'],
  ["POST", "/api/clips/none/cut", "[]"],
  ["POST", "/api/clips/none/cut", '[{"start":"0","end":1,"label":null}]'],
  ["POST", "/api/clips/none/cut", '[{"start":0,"end":1e999,"label":null}]'],
  ["PUT", "/api/clips/none/answers", '[{"prompt":"A"}]'],
]

const METHODS = ["PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]

const BROKEN_PIECES = [
  "/api/clips",
  "/api/clips?name=x.sh",
  "/api/clips?name=%E0%A4%A.mp4%00",
  "/api/recordings?name=x",
  "/api/recordings/none?at=0",
  "/api/recordings/..%2f..%2fx?at=0",
  "/api/recordings/none?at=-1",
  "/api/recordings/none/end",
]

/** A small RTSP server (RFC 2326) for tests: plays an H.264 file over and over, in real time, by RTP in the same connection (RFC 6184). */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { FormatContext, Packet } from "node-av"

interface AccessUnit {
  nals: Buffer[]
  key: boolean
}

/** Serves `rtsp://127.0.0.1:<port>/`. */
export class RtspServer {
  readonly #units: AccessUnit[]
  readonly #parameters: Buffer[]
  readonly #fps: number
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  port = 0
  /** Connections that were let in. */
  accepted = 0

  /** @param path an MP4 of H.264 without B-frames */
  constructor(path: string, fps: number) {
    const format = new FormatContext()
    if (format.openInputSync(path, null, null) < 0) throw new Error(`no ${path}`)
    const extradata = format.streams[0].codecpar.extradata
    if (!extradata) throw new Error("no parameters")
    this.#parameters = parameterSets(extradata)
    this.#fps = fps
    this.#units = []
    const packet = new Packet()
    packet.alloc()
    while (format.readFrameSync(packet) >= 0) {
      const nals = nalsOf(packet.data ?? Buffer.alloc(0))
      this.#units.push({ nals, key: nals.some((nal) => (nal[0] & 31) === 5) })
      packet.unref()
    }
    format.closeInputSync()
  }

  get url(): string {
    return `rtsp://127.0.0.1:${this.port}/`
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket))
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve))
    this.port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Cuts every connection, and lets nobody in until `listen` is called again. */
  async cut(): Promise<void> {
    const server = this.#server
    this.#server = null
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    this.accepted++
    let text = ""
    let timer: NodeJS.Timeout | undefined
    socket.on("error", () => undefined)
    socket.on("close", () => {
      clearInterval(timer)
      this.#sockets.delete(socket)
    })
    socket.on("data", (data) => {
      text += data.toString("latin1")
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const request = text.slice(0, end).replace(/^[\s\S]*?(?=[A-Z_]+ rtsp:)/, "")
        text = text.slice(end + 4)
        const method = request.split(" ")[0]
        const number = /CSeq: *(\d+)/i.exec(request)?.[1] ?? "0"
        const reply = (headers: string[], body = "") => {
          const lines = ["RTSP/1.0 200 OK", `CSeq: ${number}`, ...headers, `Content-Length: ${body.length}`, "", body]
          socket.write(lines.join("\r\n"))
        }
        if (method === "DESCRIBE") reply([`Content-Base: ${this.url}`, "Content-Type: application/sdp"], this.#sdp())
        else if (method === "SETUP") reply(["Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"])
        else if (method === "PLAY") {
          reply(["Session: 1", "RTP-Info: url=track"])
          timer = this.#play(socket)
        } else reply(["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER", "Session: 1"])
      }
    })
  }

  #sdp(): string {
    const sets = this.#parameters.map((set) => set.toString("base64")).join(",")
    return [
      ...["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "c=IN IP4 0.0.0.0", "t=0 0", "m=video 0 RTP/AVP 96"],
      ...[
        "a=rtpmap:96 H264/90000",
        `a=fmtp:96 packetization-mode=1;sprop-parameter-sets=${sets}`,
        "a=control:track",
        "",
      ],
    ].join("\r\n")
  }

  #play(socket: Socket): NodeJS.Timeout {
    let sent = 0
    let sequence = 0
    const begun = performance.now()
    const rtp = (payload: Buffer, last: boolean) => {
      const header = Buffer.alloc(16)
      header.write("$\0", 0, "latin1")
      header.writeUInt16BE(12 + payload.length, 2)
      header[4] = 0x80
      header[5] = 96 | (last ? 0x80 : 0)
      header.writeUInt16BE(sequence++ & 0xffff, 6)
      header.writeUInt32BE(Math.round((sent * 90000) / this.#fps) >>> 0, 8)
      header.writeUInt32BE(7, 12)
      socket.write(Buffer.concat([header, payload]))
    }
    return setInterval(() => {
      while (sent < ((performance.now() - begun) / 1000) * this.#fps) {
        const { nals, key } = this.#units[sent % this.#units.length]
        const all = key ? [...this.#parameters, ...nals] : nals
        for (const [i, nal] of all.entries()) sendNal(nal, i === all.length - 1, rtp)
        sent++
      }
    }, 10)
  }
}

const LARGEST = 1200

/** Whole, or in fragments (FU-A). */
function sendNal(nal: Buffer, last: boolean, rtp: (payload: Buffer, last: boolean) => void): void {
  if (nal.length <= LARGEST) {
    rtp(nal, last)
    return
  }
  for (let at = 1; at < nal.length; at += LARGEST) {
    const end = Math.min(nal.length, at + LARGEST)
    const flags = (at === 1 ? 0x80 : 0) | (end === nal.length ? 0x40 : 0)
    const head = Buffer.from([(nal[0] & 0xe0) | 28, flags | (nal[0] & 31)])
    rtp(Buffer.concat([head, nal.subarray(at, end)]), last && end === nal.length)
  }
}

/** NAL units behind their lengths of four bytes. */
function nalsOf(data: Buffer): Buffer[] {
  const nals: Buffer[] = []
  for (let at = 0; at + 4 < data.length; ) {
    const size = data.readUInt32BE(at)
    nals.push(Buffer.from(data.subarray(at + 4, at + 4 + size)))
    at += 4 + size
  }
  return nals
}

/** The first SPS and PPS of an AVC decoder configuration record (ISO/IEC 14496-15, 5.3.3). */
function parameterSets(record: Buffer): Buffer[] {
  const sps = record.readUInt16BE(6)
  const pps = record.readUInt16BE(8 + sps + 1)
  return [Buffer.from(record.subarray(8, 8 + sps)), Buffer.from(record.subarray(8 + sps + 3, 8 + sps + 3 + pps))]
}

/** A server that imitates the hub's routes, with faults on demand. */

import { createHash } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"

export interface FakeHub {
  url: string
  /** "METHOD path range" of every request, in order. */
  requests: string[]
  tokens: (string | undefined)[]
  files: Map<string, Buffer>
  commit: string
  /** Faults, each used up by the requests that they hit. */
  faults: { dropAfter?: number[]; status?: number[]; answer?: string; lieAboutChecksum?: boolean }
  close(): Promise<void>
}

const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex")
const gitSha1 = (data: Buffer) => createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex")

export async function startHub(files: Record<string, Buffer>): Promise<FakeHub> {
  const hub: FakeHub = {
    url: "",
    requests: [],
    tokens: [],
    files: new Map(Object.entries(files)),
    commit: "0123456789abcdef0123456789abcdef01234567",
    faults: {},
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
  const server = createServer((request, response) => {
    handle(hub, request, response).catch((error) => response.destroy(error))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve)
  })
  const address = server.address()
  hub.url = `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`
  return hub
}

async function handle(hub: FakeHub, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", hub.url)
  hub.requests.push([request.method, url.pathname, request.headers.range].filter(Boolean).join(" "))
  hub.tokens.push(request.headers.authorization)
  const body: Buffer[] = []
  for await (const chunk of request) body.push(chunk)
  const json = (value: unknown, status = 200) => {
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value))
  }
  const status = hub.faults.status?.shift()
  if (status) return json({ error: `status ${status}` }, status)
  if (hub.faults.answer) return void response.writeHead(200).end(hub.faults.answer)
  const api = /^\/api\/models\/(owner\/name)\/(revision|paths-info)\/(.+)$/.exec(url.pathname)
  const resolve = /^\/(owner\/name)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname)
  const revision = decodeURIComponent(api?.[3] ?? resolve?.[2] ?? "")
  if (!["main", "v1", "refs/pr/1", hub.commit].includes(revision)) return json({ error: "Revision Not Found" }, 404)
  if (api?.[2] === "revision") {
    const siblings = [...hub.files.keys()].map((rfilename) => ({ rfilename }))
    return json({ _id: "1", id: "owner/name", sha: hub.commit, siblings, lastModified: "2024-01-01T00:00:00Z" })
  }
  if (api) {
    const { paths } = JSON.parse(Buffer.concat(body).toString())
    return json(paths.flatMap((path: string) => pathInfo(hub, path)))
  }
  const data = hub.files.get(decodeURIComponent(resolve?.[3] ?? ""))
  if (!data) return json({ error: "Entry not found" }, 404)
  sendFile(hub, data, request.headers.range, response)
}

function pathInfo(hub: FakeHub, path: string): object[] {
  const data = hub.files.get(path)
  if (!data) return []
  const checked = hub.faults.lieAboutChecksum ? Buffer.alloc(data.length) : data
  const lfs = data.length > 1000 ? { oid: sha256(checked), size: data.length, pointerSize: 130 } : undefined
  return [{ type: "file", path, size: data.length, oid: gitSha1(checked), ...(lfs ? { lfs } : {}) }]
}

function sendFile(hub: FakeHub, data: Buffer, range: string | undefined, response: ServerResponse): void {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? "")
  const begin = match ? Number(match[1]) : 0
  const end = match ? Math.min(Number(match[2]) + 1, data.length) : data.length
  const part = data.subarray(begin, end)
  const headers = { ETag: '"x"', "Content-Length": part.length, "Accept-Ranges": "bytes" }
  if (match) response.writeHead(206, { ...headers, "Content-Range": `bytes ${begin}-${end - 1}/${data.length}` })
  else response.writeHead(200, headers)
  const limit = part.length > 1 ? hub.faults.dropAfter?.shift() : undefined
  if (limit === undefined) response.end(part)
  else response.write(part.subarray(0, limit), () => setTimeout(() => response.destroy(), 20))
}

/** The studio with a server: clips on its disk, training and describing there. The addresses stand in `api.ts`. */

import type { api, DescribeHome, Home, Recording } from "./home.ts"
import { text } from "./strings.ts"

/** Bytes of a recording that are sent at once, at most. */
const PIECE = 2 ** 20

export class ServerHome implements Home {
  readonly kind = "server"
  readonly describe: DescribeHome | null
  readonly erase = null
  readonly #token: string

  private constructor(token: string, describes: boolean) {
    this.#token = token
    this.describe = describes ? this.#describing() : null
  }

  /** @param bootstrap what the server has written into the page */
  static async open(bootstrap: string): Promise<ServerHome> {
    const { token } = JSON.parse(bootstrap) as api.Bootstrap
    const state = await new ServerHome(token, false).state()
    return new ServerHome(token, state.describe !== null)
  }

  state = () => this.#json<api.StudioState>("GET", "state")
  clips = () => this.#json<api.Clip[]>("GET", "clips")
  suggestions = () => this.#json<api.Suggestion[]>("GET", "suggest")
  report = () => this.#json<api.StudioReport | null>("GET", "report")
  bundleFiles = () => this.#json<string[]>("GET", "bundle")
  change = (change: api.ClipChange) => this.#json<api.Clip[]>("PATCH", "clips", change)
  setClasses = (classes: string[]) => this.#json<string[]>("PUT", "classes", classes)
  cut = (id: string, cuts: api.Cut[]) => this.#json<api.Clip[]>("POST", `clips/${id}/cut`, cuts)

  watch(listener: (event: api.StudioEvent) => void): () => void {
    const source = new EventSource(this.#address("events"))
    source.onmessage = ({ data }) => listener(JSON.parse(data) as api.StudioEvent)
    return () => source.close()
  }

  async add(name: string, label: string | null, file: Blob): Promise<api.Clip> {
    const query = new URLSearchParams({ name, ...(label === null ? {} : { label }) })
    return this.#answer(await this.#send("POST", `clips?${query}`, file))
  }

  /** What is recorded goes to the server while it is recorded: of a page that is killed, all but the last half second is there. */
  async record(name: string, label: string | null): Promise<Recording> {
    const query = new URLSearchParams({ name, ...(label === null ? {} : { label }) })
    const { id } = await this.#json<api.OpenRecording>("POST", `recordings?${query}`)
    let bytes = 0
    let written: Promise<unknown> = Promise.resolve()
    const send = async (chunk: Blob) => {
      for (let from = 0; from < chunk.size; from += PIECE) {
        const piece = chunk.slice(from, from + PIECE)
        await this.#send("POST", `recordings/${id}?at=${bytes}`, piece)
        bytes += piece.size
      }
    }
    return {
      write: async (chunk) => {
        written = written.then(() => send(chunk))
        await written
      },
      finish: async () => {
        await written
        return this.#json<api.Clip>("POST", `recordings/${id}/end`)
      },
      abort: async () => {
        await this.#json("DELETE", `recordings/${id}`)
      },
    }
  }

  async media(id: string): Promise<{ url: string; free(): void }> {
    return { url: this.#address(`clips/${id}/media`), free: () => {} }
  }

  /** Clips are on the server's disk already: nothing here needs to know which of them share a file. */
  fileOf(id: string): string {
    return id
  }

  async file(id: string): Promise<Blob> {
    return (await this.#send("GET", `clips/${id}/media`)).blob()
  }

  async train(settings: api.TrainSettings): Promise<void> {
    await this.#json("POST", "train", settings)
  }

  async stopTraining(): Promise<void> {
    await this.#json("DELETE", "train")
  }

  async bundleFile(name: string): Promise<Blob> {
    return (await this.#send("GET", `bundle/${encodeURIComponent(name)}`)).blob()
  }

  #describing(): DescribeHome {
    return {
      endpoint: null,
      strip: async (id) => ({ url: this.#address(`clips/${id}/strip`), free: () => {} }),
      answers: (id) => this.#json<api.Answer[]>("GET", `clips/${id}/answers`),
      setAnswers: (id, answers) => this.#json<api.Answer[]>("PUT", `clips/${id}/answers`, answers),
      describe: (request) => this.#json<api.Describing>("POST", "describe", request),
      stop: async () => {
        await this.#json("DELETE", "describe")
      },
    }
  }

  /** For elements, which set no headers: they are answered to the cookie. */
  #address(path: string): string {
    return new URL(`./api/${path}`, document.baseURI).href
  }

  async #json<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#answer(await this.#send(method, path, body === undefined ? undefined : JSON.stringify(body)))
  }

  async #send(method: string, path: string, body?: string | Blob): Promise<Response> {
    const type = typeof body === "string" ? "application/json" : "application/octet-stream"
    const headers = { authorization: `Bearer ${this.#token}`, ...(body === undefined ? {} : { "content-type": type }) }
    const response = await fetch(`./api/${path}`, { method, headers, body })
    if (!response.ok) throw new Error(await complaintOf(response))
    return response
  }

  async #answer<T>(response: Response): Promise<T> {
    return (await response.json()) as T
  }
}

async function complaintOf(response: Response): Promise<string> {
  const failure = (await response.json().catch(() => null)) as api.Failure | null
  if (!failure?.what) return `${response.status} ${response.statusText || text.failed}`
  const { where, what, found, fix } = failure
  return [`${where}: ${what}`, found && `(${found})`, fix && `– ${fix}`].filter(Boolean).join(" ")
}

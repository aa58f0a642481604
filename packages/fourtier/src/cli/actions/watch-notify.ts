/**
 * Tells others of starts and ends: a command that is run, an address that is posted to. One after the other and in order; what is slow
 * or fails holds nothing up, and what there is no time for is left out.
 */

import { spawn } from "node:child_process"
import { causesOf } from "../../describe/providers/network-errors.ts"
import { proxiedFetch } from "../../util/proxy.ts"
import { eventJson, type WatchEvent } from "./watch-views.ts"

/** Events that wait at most; the oldest make room. */
const MOST_WAITING = 100

/** Seconds that a command, and an answer of a server, may take. */
const COMMAND_SECONDS = 30
const POST_SECONDS = 10

/** Milliseconds that what is left may take at the end, and after an interrupt. */
const LAST_WORDS = 5000
const LAST_WORDS_INTERRUPTED = 700

export interface NotifierOptions {
  /** Run by the shell; the event in its environment, and as JSON on its standard input. */
  exec?: string
  post?: string
}

/** Sends events to the command, and to the address. */
export class Notifier {
  readonly #ways: Way[]

  constructor({ exec, post }: NotifierOptions) {
    this.#ways = [
      ...(exec === undefined ? [] : [new Way("--exec", (event, signal) => run(exec, event, signal))]),
      ...(post === undefined ? [] : [new Way("--post", (event, signal) => send(post, event, signal))]),
    ]
  }

  push(event: WatchEvent): void {
    for (const way of this.#ways) way.push(event)
  }

  /** Waits a moment for what is under way, then gives it up. */
  async end(interrupted: AbortSignal): Promise<void> {
    const milliseconds = interrupted.aborted ? LAST_WORDS_INTERRUPTED : LAST_WORDS
    await Promise.all(this.#ways.map((way) => way.end(milliseconds)))
  }
}

class Way {
  readonly #name: string
  readonly #tell: (event: WatchEvent, signal: AbortSignal) => Promise<void>
  readonly #waiting: WatchEvent[] = []
  readonly #stop = new AbortController()
  #work: Promise<void> | null = null
  /** Events that did not arrive since the last one that did. */
  #failed = 0
  #left = 0

  constructor(name: string, tell: (event: WatchEvent, signal: AbortSignal) => Promise<void>) {
    this.#name = name
    this.#tell = tell
  }

  push(event: WatchEvent): void {
    this.#waiting.push(event)
    if (this.#waiting.length > MOST_WAITING) {
      this.#waiting.shift()
      if (this.#left++ === 0) warn(`${this.#name} is too slow: events are left out`)
    }
    this.#work ??= this.#go()
  }

  async end(milliseconds: number): Promise<void> {
    const timer = setTimeout(() => this.#stop.abort(), milliseconds)
    await this.#work
    clearTimeout(timer)
    if (this.#left > 0) warn(`${this.#name} was too slow for ${this.#left} events`)
  }

  async #go(): Promise<void> {
    for (let event = this.#waiting.shift(); event; event = this.#waiting.shift()) {
      if (this.#stop.signal.aborted) break
      try {
        await this.#tell(event, this.#stop.signal)
        if (this.#failed > 0) warn(`${this.#name} works again after ${this.#failed} failures`)
        this.#failed = 0
      } catch (error) {
        if (this.#failed++ === 0 && !this.#stop.signal.aborted) warn(`${this.#name} fails: ${causesOf(error).text}`)
      }
    }
    this.#work = null
  }
}

const warn = (line: string) => void process.stderr.write(`${line}\n`)

async function run(command: string, event: WatchEvent, signal: AbortSignal): Promise<void> {
  const { label, time, at, probability, seconds, source } = event
  const child = spawn(command, {
    shell: true,
    stdio: ["pipe", "ignore", "inherit"],
    signal: AbortSignal.any([signal, AbortSignal.timeout(COMMAND_SECONDS * 1000)]),
    killSignal: "SIGKILL",
    env: {
      ...process.env,
      FOURTIER_EVENT: event.event,
      FOURTIER_LABEL: label,
      FOURTIER_TIME: time.toFixed(3),
      FOURTIER_AT: at?.toISOString() ?? "",
      FOURTIER_PROBABILITY: probability.toFixed(6),
      FOURTIER_SECONDS: seconds?.toFixed(3) ?? "",
      FOURTIER_SOURCE: source,
    },
  })
  await new Promise<void>((resolve, reject) => {
    child.on("error", (error) => {
      reject(error.name === "AbortError" ? new Error(`takes longer than ${COMMAND_SECONDS} s`) : error)
    })
    child.on("exit", (code, killed) => {
      if (code === 0) resolve()
      else reject(new Error(killed ? `ended by ${killed}` : `ends with code ${code}`))
    })
    // a command that does not read its input is no failure
    child.stdin.on("error", () => undefined)
    child.stdin.end(`${eventJson(event)}\n`)
  })
}

async function send(url: string, event: WatchEvent, signal: AbortSignal): Promise<void> {
  const response = await proxiedFetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: eventJson(event),
    signal: AbortSignal.any([signal, AbortSignal.timeout(POST_SECONDS * 1000)]),
  })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`the server answers ${response.status} ${response.statusText}`)
}

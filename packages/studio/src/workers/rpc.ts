/** Calls from a page to a worker and back: functions of one object by name, each answered once, and events in between. */

type Functions = Record<string, (...args: never[]) => unknown>

interface Call {
  call: number
  name: string
  args: unknown[]
}

type Reply = { reply: number; value: unknown } | { reply: number; failure: Reason } | { event: unknown }

/** Why a call failed: errors do not pass with their class. */
export interface Reason {
  message: string
  aborted: boolean
}

export type Remote<F> = {
  [K in keyof F]: F[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never
}

/** In a worker: answers calls with these functions. @returns what sends an event */
export function serve<Event>(functions: Functions): (event: Event) => void {
  self.addEventListener("message", ({ data }: MessageEvent<Call>) => {
    const run = async () => {
      const own: unknown = Object.hasOwn(functions, data.name) ? functions[data.name] : undefined
      if (typeof own !== "function") throw new Error(`internal error: no function ${data.name}`)
      return Reflect.apply(own, null, data.args) as unknown
    }
    run().then(
      (value) => self.postMessage({ reply: data.call, value } satisfies Reply),
      (error: unknown) => self.postMessage({ reply: data.call, failure: reasonOf(error) } satisfies Reply),
    )
  })
  return (event) => self.postMessage({ event } satisfies Reply)
}

/** In the page: the worker's functions. */
export function connect<F, Event>(worker: Worker, onEvent: (event: Event) => void): Remote<F> {
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let count = 0
  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => {
    if ("event" in data) return onEvent(data.event as Event)
    const own = open.get(data.reply)
    open.delete(data.reply)
    if ("failure" in data) own?.reject(new WorkerFailure(data.failure))
    else own?.resolve(data.value)
  })
  worker.addEventListener("error", (event) => {
    const failure = new WorkerFailure({ message: event.message || "the worker could not be started", aborted: false })
    for (const { reject } of open.values()) reject(failure)
    open.clear()
  })
  const call = (name: string, args: unknown[]) =>
    new Promise((resolve, reject) => {
      open.set(++count, { resolve, reject })
      worker.postMessage({ call: count, name, args } satisfies Call)
    })
  return new Proxy({} as Remote<F>, {
    get:
      (_, name) =>
      (...args: unknown[]) =>
        call(String(name), args),
  })
}

export class WorkerFailure extends Error {
  readonly aborted: boolean

  constructor({ message, aborted }: Reason) {
    super(message)
    this.aborted = aborted
  }
}

function reasonOf(error: unknown): Reason {
  if (!(error instanceof Error)) return { message: String(error), aborted: false }
  return { message: error.message, aborted: error.name === "AbortError" }
}

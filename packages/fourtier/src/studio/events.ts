/** Tells a page what happens, as server-sent events. */

import type { Context } from "hono"
import { streamSSE } from "hono/streaming"
import type { StudioEvent } from "./api.ts"

/** Milliseconds between two signs of life. */
const HEARTBEAT = 15_000

/** Events that wait for a page that does not read: then it has to connect, and to load, again. */
const MOST_WAITING = 5000

/** @param listen calls back until what it returns is called */
export function streamEvents(
  context: Context,
  listen: (listener: (event: StudioEvent) => void) => () => void,
): Response {
  return streamSSE(context, async (stream) => {
    const waiting: StudioEvent[] = []
    let wake = () => {}
    const end = listen((event) => {
      waiting.push(event)
      wake()
    })
    const beat = setInterval(() => void stream.write(": still here\n\n"), HEARTBEAT)
    stream.onAbort(() => wake())
    try {
      await stream.write(": hello\n\n")
      while (!stream.aborted && waiting.length < MOST_WAITING) {
        const event = waiting.shift()
        if (event) await stream.writeSSE({ data: JSON.stringify(event) })
        else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      clearInterval(beat)
      end()
    }
  })
}

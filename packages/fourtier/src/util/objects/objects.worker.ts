/** Worker thread: asks for objects and fetches them for a thread that stands still. */

import { MessagePort, workerData } from "node:worker_threads"
import { FourtierError, messageOf } from "@fourtier/tensor"
import { fetchObject, statObject } from "./objects.ts"
import { type ObjectReply, requestSchema } from "./sync.ts"

const { port, done } = workerData
if (!(port instanceof MessagePort) || !(done instanceof Int32Array))
  throw new Error("internal error: started without a port")

port.on("message", async (message: unknown) => {
  const reply = await replyTo(message)
  port.postMessage(reply)
  Atomics.store(done, 0, 1)
  Atomics.notify(done, 0)
})

async function replyTo(message: unknown): Promise<ObjectReply> {
  const { address, fetch } = requestSchema.parse(message)
  try {
    const object = await statObject(address)
    return { object, file: fetch ? await fetchObject(address) : null }
  } catch (error) {
    if (!(error instanceof FourtierError)) return { error: { where: address, what: messageOf(error) } }
    const { what, where, expected, found, fix } = error.complaint
    return { error: { what, where, expected, found, fix } }
  }
}

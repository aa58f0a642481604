/**
 * Objects for code that cannot wait: decoders read files in one go. A thread does the asking and fetching meanwhile; this one stands
 * still.
 */

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads"
import { complaintSchema, workerUrl } from "@fourtier/core/node"
import { FourtierError } from "@fourtier/tensor"
import { z } from "zod"
import type { ObjectStat } from "./client.ts"
import { heldObject, knownObject } from "./objects.ts"

/** Milliseconds after which an object counts as lost. */
const PATIENCE = 600_000

export const requestSchema = z.object({ address: z.string(), fetch: z.boolean() })

const statSchema = z.object({ size: z.number(), mtime: z.number(), tag: z.string() })

const replySchema = z.union([
  z.object({ object: statSchema, file: z.string().nullable() }),
  z.object({
    error: complaintSchema,
  }),
])
export type ObjectReply = z.infer<typeof replySchema>

interface Helper {
  port: MessagePort
  done: Int32Array
}

let helper: Helper | null = null

function startHelper(): Helper {
  const { port1, port2 } = new MessageChannel()
  const done = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(workerUrl(import.meta.url, "./objects.worker.ts"), {
    workerData: { port: port2, done },
    transferList: [port2],
  })
  worker.unref()
  port1.unref()
  return { port: port1, done }
}

function ask(address: string, fetch: boolean): Exclude<ObjectReply, { error: unknown }> {
  helper ??= startHelper()
  const { port, done } = helper
  Atomics.store(done, 0, 0)
  port.postMessage({ address, fetch })
  Atomics.wait(done, 0, 0, PATIENCE)
  const reply = replySchema.safeParse(receiveMessageOnPort(port)?.message)
  if (!reply.success) {
    throw new FourtierError({
      where: address,
      what: "object storage did not answer",
      found: `nothing within ${PATIENCE / 60_000} minutes`,
    })
  }
  if ("error" in reply.data) throw new FourtierError(reply.data.error)
  return reply.data
}

const asked = new Map<string, ObjectStat>()

/** Size, time and content tag of an object: asked for once. @throws FourtierError where it is not there */
export function statObjectSync(address: string): ObjectStat {
  const known = knownObject(address) ?? asked.get(address)
  if (known instanceof FourtierError) throw known
  if (known) return known
  const { object } = ask(address, false)
  asked.set(address, object)
  return object
}

/** The local file of an object, fetched where it is not here. */
export function fetchObjectSync(address: string): string {
  const object = statObjectSync(address)
  const held = heldObject(address, object)
  if (held !== null) return held
  const { file } = ask(address, true)
  if (file !== null) return file
  throw new Error("internal error: no file came")
}

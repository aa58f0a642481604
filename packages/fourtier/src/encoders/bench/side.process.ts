/** Process: one encoder of a comparison (see `side.ts`). Ends when its parent disconnects. */

import { FRAMES } from "@fourtier/core/schemas"
import { messageOf, type Session } from "@fourtier/tensor"
import { NpyReader } from "@fourtier/tensor/node"
import { encodeModelPieces } from "@fourtier/tensor/onnx"
import { peakMemory, timed } from "../../util/timing.ts"
import { openVisualEncoder } from "../catalog.ts"
import { MAP, openEncoder } from "../encoder.ts"
import {
  type Answer,
  type Encoded,
  type EncodeRequest,
  type Loaded,
  requestSchema,
  type Setup,
  setupSchema,
} from "./side.ts"

const answer = (message: Answer) => void process.send?.(message)

async function load({
  encoder: config,
  batch,
  provider,
  threads,
}: Setup): Promise<{ session: Session; loaded: Loaded }> {
  let file = 0
  const { value: session, cost } = await timed(async () => {
    const encoder = await openVisualEncoder(config)
    const model = await encoder.model(batch)
    file = encodeModelPieces(model).reduce((sum, piece) => sum + piece.length, 0)
    const options = { provider, threads: threads ?? undefined }
    return openEncoder({ ...encoder, model: async () => model }, batch, options)
  })
  return { session, loaded: { provider: session.provider, load: cost.clock, file } }
}

async function encode(session: Session, source: NpyReader<"f32">, request: EncodeRequest): Promise<Encoded> {
  const length = source.recordLength
  const frames = new Float32Array(request.clips.length * length)
  for (const [i, clip] of request.clips.entries()) {
    await source.read(clip, frames.subarray(i * length, (i + 1) * length))
  }
  const { value, cost } = await timed(() => session.run({ [FRAMES]: frames }))
  const memory = { peak: peakMemory(), now: process.memoryUsage.rss() }
  return { cost, memory, maps: request.keepMaps ? Float32Array.from(value[MAP], Number) : null }
}

/** Answers with the message of an error where there is one. */
async function answering(work: () => Promise<Answer>): Promise<void> {
  try {
    answer(await work())
  } catch (error) {
    answer({ failed: messageOf(error) })
  }
}

await answering(async () => {
  const setup = setupSchema.parse(JSON.parse(process.argv[2]))
  const { session, loaded } = await load(setup)
  const source = await NpyReader.open(setup.clips, "f32")
  process.on("message", (message) =>
    answering(async () => ({ encoded: await encode(session, source, requestSchema.parse(message)) })),
  )
  return { loaded }
})

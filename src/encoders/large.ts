/** Sessions of models of any size: ONNX Runtime takes none over 2 GiB from memory; those go through files. */

import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { writeOnnx } from "../tensor/onnx/file.ts"
import { encodeModel, type ModelProto } from "../tensor/onnx/proto.ts"
import { Session, type SessionOptions } from "../tensor/runtime/session.ts"
import type { TensorType } from "../tensor/tensor.ts"

const IN_MEMORY = 1.9e9

/** Loads a model with all its weights; `types` are the static types of its inputs and outputs. */
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
    await writeOnnx(path, model)
    return await Session.load(path, types, options)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

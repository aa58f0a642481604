/** `.onnx` files on disk: large weights go into a file beside the model, as models over 2 GB need. */

import { type FileHandle, open, readFile, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { FourtierError, messageOf } from "../errors.ts"
import { decodeModel } from "../onnx/decode.ts"
import { encodeModelPieces } from "../onnx/encode.ts"
import type { ExternalData, ModelProto } from "../onnx/proto.ts"
import { placesInFile, type StoredBytes, shareWeights } from "../onnx/share.ts"
import { externalize } from "../onnx/tensor-proto.ts"
import { writeAtomically } from "./files.ts"
import { openFile, readExactly, writeExactly } from "./stored.ts"

/** Protocol buffers, and so ONNX Runtime, take no message over 2 GiB; this leaves room for the graph itself. */
const EXTERNAL_ABOVE = 1.9e9

/**
 * Writes a model. When its weights exceed `externalAbove` bytes they go into `<path>.data`, which must stay beside it.
 *
 * @returns the paths written
 *
 * @example
 * ```ts
 * import { add, input, toOnnx } from "@fourtier/tensor"
 * import { writeOnnx } from "@fourtier/tensor/node"
 *
 * await writeOnnx("model.onnx", toOnnx({ outputs: { y: add(input("x", [2]), 1) } })) // ["model.onnx"]
 * ```
 */
export async function writeOnnx(
  path: string,
  model: ModelProto,
  { externalAbove = EXTERNAL_ABOVE }: { externalAbove?: number } = {},
): Promise<string[]> {
  const { initializers } = model.graph
  const bytes = initializers.reduce((sum, tensor) => sum + (tensor.rawData?.length ?? 0), 0)
  const dataPath = `${path}.data`
  if (bytes <= externalAbove) {
    await writeAtomically(path, (file) => writePieces(file, encodeModelPieces(model)))
    await rm(dataPath, { force: true })
    return [path]
  }
  const { tensors, pieces } = externalize(initializers, basename(dataPath))
  await writeAtomically(dataPath, async (file) => {
    for (const piece of pieces) await writeExactly(file, piece.bytes, piece.offset)
  })
  const outside = { ...model, graph: { ...model.graph, initializers: tensors } }
  await writeAtomically(path, (file) => writePieces(file, encodeModelPieces(outside)))
  return [path, dataPath]
}

/**
 * Writes a model whose large weights lie in another model's file of the same folder, where that holds the same bytes: several models
 * that share weights take their room once. Weights that the other has not stay inside.
 * @param holder what `writeOnnx` has written to `holderPath`
 *
 * @example
 * ```ts
 * import { writeOnnx, writeOnnxSharing } from "@fourtier/tensor/node"
 * import type { ModelProto } from "@fourtier/tensor/onnx"
 *
 * async function write(whole: ModelProto, encoder: ModelProto) {
 *   await writeOnnx("model.onnx", whole)
 *   await writeOnnxSharing("encoder.onnx", encoder, "model.onnx", whole)
 * }
 * ```
 */
export async function writeOnnxSharing(
  path: string,
  model: ModelProto,
  holderPath: string,
  holder: ModelProto,
  { externalAbove = EXTERNAL_ABOVE }: { externalAbove?: number } = {},
): Promise<void> {
  const shared = shareWeights(model, placesOf(holder, holderPath, externalAbove))
  await writeAtomically(path, (file) => writePieces(file, encodeModelPieces(shared)))
}

/** Where the bytes of a written model's large weights are. */
function placesOf(model: ModelProto, path: string, externalAbove: number): StoredBytes[] {
  const { initializers } = model.graph
  if (initializers.reduce((sum, { rawData }) => sum + (rawData?.length ?? 0), 0) <= externalAbove) {
    return placesInFile(model, basename(path))
  }
  const location = `${basename(path)}.data`
  return externalize(initializers, location).pieces.map(({ bytes, offset }) => {
    return { bytes, place: { location, offset, length: bytes.length } }
  })
}

/**
 * Reads a model, and the weights of its main graph that are in files beside it. Throws a FourtierError when a file is missing
 * or corrupt, or would lie outside the model's folder.
 *
 * @example
 * ```ts
 * import { readOnnx } from "@fourtier/tensor/node"
 *
 * const { graph } = await readOnnx("encoder.onnx")
 * console.log(graph.inputs.map(({ name, dims }) => `${name} [${dims}]`))
 * ```
 */
export async function readOnnx(path: string): Promise<ModelProto> {
  const model = await readGraph(path)
  const files = new Map<string, FileHandle>()
  try {
    const initializers: ModelProto["graph"]["initializers"] = []
    for (const tensor of model.graph.initializers) {
      if (!tensor.externalData) initializers.push(tensor)
      else {
        const { name, dims, dataType } = tensor
        initializers.push({ name, dims, dataType, rawData: await readExternal(path, tensor.externalData, files) })
      }
    }
    return { ...model, graph: { ...model.graph, initializers } }
  } finally {
    for (const file of files.values()) await file.close()
  }
}

/**
 * The files beside a model that hold weights of its main graph, as paths relative to the model's folder.
 *
 * @example
 * ```ts
 * import { externalFiles } from "@fourtier/tensor/node"
 *
 * await externalFiles("encoder.onnx") // ["encoder.onnx.data"]
 * ```
 */
export async function externalFiles(path: string): Promise<string[]> {
  const { graph } = await readGraph(path)
  const locations = graph.initializers.flatMap(({ externalData }) => (externalData ? [externalData.location] : []))
  for (const location of locations) refuseOutside(path, location)
  return [...new Set(locations)]
}

/** The model without the data in other files. */
async function readGraph(path: string): Promise<ModelProto> {
  try {
    return decodeModel(await readFile(path))
  } catch (error) {
    if (error instanceof FourtierError) throw error
    throw new FourtierError({ where: path, what: "cannot be read", found: messageOf(error) }, { cause: error })
  }
}

function refuseOutside(modelPath: string, location: string): void {
  if (!/^[/\\]|^[a-zA-Z]:|\0/.test(location) && !location.split(/[\\/]/).includes("..")) return
  throw new FourtierError({ where: modelPath, what: "weights outside the model's folder", found: location })
}

async function readExternal(
  modelPath: string,
  { location, offset, length }: ExternalData,
  files: Map<string, FileHandle>,
): Promise<Uint8Array> {
  refuseOutside(modelPath, location)
  const path = join(dirname(modelPath), location)
  const file = files.get(path) ?? (await openFile(path, () => open(path, "r")))
  files.set(path, file)
  if (offset + length > (await file.stat()).size) {
    throw new FourtierError({
      where: path,
      what: "the file ends too early",
      expected: `${length} bytes at offset ${offset}`,
      fix: "the file of weights does not belong to this model, or is truncated",
    })
  }
  const data = new Uint8Array(length)
  await readExactly(file, data, offset, path)
  return data
}

async function writePieces(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let position = 0
  for (const piece of pieces) {
    await writeExactly(file, piece, position)
    position += piece.length
  }
}

/** Weights of one model that lie in another model's file. */

import { encodeModelPieces } from "./encode.ts"
import type { ExternalData, ModelProto, TensorProto } from "./proto.ts"

/** Bytes from which weights may lie in another model's file: smaller ones, such as shapes, a runtime wants at hand. */
const SHARED_FROM = 4096

/** Bytes, and where they lie. */
export interface StoredBytes {
  bytes: Uint8Array
  place: ExternalData
}

/**
 * Where the bytes of a model's large weights are in the file that `encodeModel` makes of it.
 * @param location name of that file, as models beside it call it
 *
 * @example
 * ```ts
 * import { type ModelProto, placesInFile } from "@fourtier/tensor/onnx"
 *
 * const firstOffset = (model: ModelProto) => placesInFile(model, "model.onnx")[0].place.offset
 * ```
 */
export function placesInFile(model: ModelProto, location: string): StoredBytes[] {
  const large = new Set(
    model.graph.initializers.flatMap(({ rawData }) => (rawData && rawData.length >= SHARED_FROM ? [rawData] : [])),
  )
  let offset = 0
  return encodeModelPieces(model).flatMap((bytes) => {
    const place = { location, offset, length: bytes.length }
    offset += bytes.length
    return large.has(bytes) ? [{ bytes, place }] : []
  })
}

/**
 * A model whose large weights lie in another model's file, where that holds the same bytes. Weights that the other has not stay inside.
 *
 * @example
 * ```ts
 * import { type ModelProto, placesInFile, shareWeights } from "@fourtier/tensor/onnx"
 *
 * const beside = (head: ModelProto, whole: ModelProto) => shareWeights(head, placesInFile(whole, "model.onnx"))
 * ```
 */
export function shareWeights(model: ModelProto, stored: readonly StoredBytes[]): ModelProto {
  const byLength = new Map<number, StoredBytes[]>()
  for (const one of stored) byLength.set(one.bytes.length, [...(byLength.get(one.bytes.length) ?? []), one])
  const initializers = model.graph.initializers.map((tensor): TensorProto => {
    const { rawData } = tensor
    if (!rawData || rawData.length < SHARED_FROM) return tensor
    const found = byLength.get(rawData.length)?.find(({ bytes }) => sameBytes(bytes, rawData))
    const { name, dims, dataType } = tensor
    return found ? { name, dims, dataType, externalData: found.place } : tensor
  })
  return { ...model, graph: { ...model.graph, initializers } }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

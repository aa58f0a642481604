/**
 * Any `.onnx` file as frozen encoder. Patterns say how frames go in and how the map comes out:
 *
 * ```
 * frames [B,T,H,W,3] ─ (x/255 − mean)/std ─ "b t h w c -> (b t) c h w" ─ file ─ "(b t) n d -> b t n d" ─ m [B,T',N,D]
 * ```
 * The three are joined to one graph. The output's lengths are found by running the file once.
 */

import { FRAMES } from "@fourtier/core/schemas"
import { FourtierError, input, messageOf, narrow, sizeOf, type Tensor } from "@fourtier/tensor"
import { rearrange } from "@fourtier/tensor/nn"
import { hashFile, hashJson, readOnnx, requireFile } from "@fourtier/tensor/node"
import { type ModelProto, mergeModels, opsetOf, toOnnx } from "@fourtier/tensor/onnx"
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node"
import { localOnnx } from "../checkpoint/hub.ts"
import { MAP, type VisualEncoder } from "../encoder.ts"
import { normalise } from "../graph.ts"
import { scaledMap, scaleIdentity } from "../scale.ts"
import type { OnnxSettings } from "../settings/onnx.ts"

/** @throws FourtierError when the file, its names or the patterns do not fit */
export async function openOnnx(given: OnnxSettings): Promise<VisualEncoder> {
  const config = {
    ...given,
    path: await requireFile(await localOnnx(given.path), "set encoder.path to a file that is there"),
  }
  const file = await readOnnx(config.path)
  const names = {
    input: chosen(
      config,
      "input",
      file.graph.inputs.filter(isFed(file)).map(({ name }) => name),
    ),
    output: chosen(
      config,
      "output",
      file.graph.outputs.map(({ name }) => name),
    ),
  }
  const { path, precision: _, scale, ...settings } = config
  const probed = new Map<number, Promise<number[]>>()
  const outputShape = (batch: number) => {
    const shape = probed.get(batch) ?? probe(config, file, names, inputShape(config, batch))
    probed.set(batch, shape)
    return shape
  }
  const { grid, map } = toMap(config, await outputShape(1), 1)
  const [, T, , D] = map.shape
  return {
    name: path.split(/[\\/]/).at(-1) ?? path,
    id: hashJson({ encoder: "onnx", weights: await hashFile(path), ...settings, ...scaleIdentity(scale) }),
    frames: config.frames,
    resolution: [config.size, config.size],
    size: { T, H: grid[0], W: grid[1], D },
    async model(batch) {
      const before = toOnnx({ outputs: { [names.input]: fromFrames(config, batch) } })
      const after = toOnnx({ outputs: { [MAP]: scaledMap(toMap(config, await outputShape(batch), batch).map, scale) } })
      const joined = mergeModels(before, only(file, names.output), { [names.input]: names.input })
      return mergeModels(joined, after, { [names.output]: "map" })
    },
    // multiply–adds of another's graph are not counted
    flops: async () => ({ part: "encoder", weights: countWeights(file), macs: 0 }),
  }
}

/** Inputs that are not initializers with a default. */
function isFed(file: ModelProto) {
  const weights = new Set(file.graph.initializers.map(({ name }) => name))
  return ({ name }: { name: string }) => !weights.has(name)
}

function chosen(config: OnnxSettings, kind: "input" | "output", names: readonly string[]): string {
  const wanted = config[kind]
  if (wanted === null && (kind === "output" || names.length === 1)) return names[0]
  if (wanted !== null && names.includes(wanted)) return wanted
  throw new FourtierError({
    where: `${config.path}, ${kind}`,
    what: wanted === null ? `the file has several ${kind}s` : `the file has no such ${kind}`,
    expected: names.join(", "),
    found: wanted ?? "none chosen",
    fix: `name it as encoder.${kind}`,
  })
}

/** The same graph with one output alone. */
function only(file: ModelProto, output: string): ModelProto {
  return { ...file, graph: { ...file.graph, outputs: file.graph.outputs.filter(({ name }) => name === output) } }
}

/** frames [B,T,H,W,3] -> the file's input */
function fromFrames({ frames, size, layout, ...normalisation }: OnnxSettings, batch: number): Tensor {
  const x = input(FRAMES, [batch, frames, size, size, 3])
  return rearrange(normalise(x, normalisation), `b t h w c -> ${layout}`)
}

function inputShape(config: OnnxSettings, batch: number): readonly number[] {
  return fromFrames(config, batch).shape
}

/** The file's output, an input named `map` here, as m [B,T',N,D]. */
function toMap(config: OnnxSettings, shape: readonly number[], batch: number) {
  const { mapLayout, skipTokens, path } = config
  const groups = [...mapLayout.matchAll(/\([^)]*\)|\S+/g)].map(([group]) => group.replaceAll(/[()]/g, "").split(/\s+/))
  const raw = input("map", shape)
  const tokens = groups.findIndex((group) => group.includes("n"))
  if (groups.length !== shape.length || (skipTokens > 0 && tokens < 0)) {
    throw new FourtierError({
      where: `${path}, mapLayout`,
      what: "the pattern does not fit the file's output",
      expected: `${shape.length} axes [${shape.join(",")}]${skipTokens > 0 ? " with an axis n to skip tokens on" : ""}`,
      found: mapLayout,
    })
  }
  const places = skipTokens > 0 ? narrow(raw, tokens, skipTokens, shape[tokens]) : raw
  const known: Record<string, number> = { b: batch }
  if (config.grid && tokens >= 0) known.n = config.grid[0] * config.grid[1]
  const together = groups.find((group) => group.includes("t"))
  // t is told from n by the frames given, where both share an axis and no grid is named
  if (together?.includes("n") && known.n === undefined) known.t = config.frames
  const hasGrid = groups.flat().includes("h")
  const open = rearrange(places, `${mapLayout} -> b t ${hasGrid ? "h w" : "n"} d`, known)
  const grid = hasGrid ? [open.shape[2], open.shape[3]] : (config.grid ?? squareOf(open.shape[2]))
  const [B, T] = open.shape
  const D = open.shape[open.rank - 1]
  return {
    grid,
    map: rearrange(open, hasGrid ? "b t h w d -> b t (h w) d" : "b t n d -> b t n d", { b: B, t: T, d: D }),
  }
}

/** A square grid where n is a square number, else one row. */
function squareOf(n: number): [number, number] {
  const side = Math.round(Math.sqrt(n))
  return side * side === n ? [side, side] : [1, n]
}

/** Runs the file once on zeros. @returns its output's shape */
async function probe(
  { path }: OnnxSettings,
  file: ModelProto,
  names: { input: string; output: string },
  shape: readonly number[],
): Promise<number[]> {
  try {
    const session = await InferenceSession.create(path, { logSeverityLevel: 3 })
    try {
      const zeros = new OrtTensor("float32", new Float32Array(sizeOf(shape)), shape)
      const results = await session.run({ [names.input]: zeros }, [names.output])
      return [...results[names.output].dims]
    } finally {
      await session.release()
    }
  } catch (error) {
    throw new FourtierError(
      {
        where: path,
        what: `does not run on an input of [${shape.join(",")}] (operator set ${opsetOf(file)})`,
        found: messageOf(error),
        fix: "set encoder.layout, encoder.size and encoder.frames to what the file takes; export it with a free batch axis",
      },
      { cause: error },
    )
  }
}

function countWeights({ graph }: ModelProto): number {
  return graph.initializers.reduce((sum, { dims }) => (dims.length > 0 ? sum + sizeOf(dims) : sum), 0)
}

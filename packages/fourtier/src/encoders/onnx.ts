/**
 * Any `.onnx` file as frozen encoder. Patterns say how frames go in and how the map comes out:
 *
 * ```
 * frames [B,T,H,W,3] ─ (x/255 − mean)/std ─ "b t h w c -> (b t) c h w" ─ file ─ "(b t) n d -> b t n d" ─ m [B,T',N,D]
 * ```
 * The three are joined to one graph. The output's lengths are found by running the file once.
 */

import { FRAMES } from "@fourtier/core/schemas"
import { constant, div, FourtierError, input, messageOf, narrow, sizeOf, sub, type Tensor } from "@fourtier/tensor"
import { rearrange } from "@fourtier/tensor/nn"
import { hashFile, hashJson, readOnnx, requireFile } from "@fourtier/tensor/node"
import { type ModelProto, mergeModels, opsetOf, toOnnx } from "@fourtier/tensor/onnx"
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node"
import { z } from "zod"
import { localOnnx } from "./checkpoint/hub.ts"
import { MAP, type VisualEncoder } from "./encoder.ts"
import { precisionSchema } from "./precision.ts"

const triple = z.tuple([z.number(), z.number(), z.number()])

export const onnxEncoderSchema = z.strictObject({
  kind: z.literal("onnx"),
  path: z
    .string()
    .min(1)
    .describe("the .onnx file, or hub id hf:owner/name[#onnx/model.onnx]; weights beside it are found"),
  input: z.string().nullable().default(null).describe("name of the input; null: the only one"),
  output: z.string().nullable().default(null).describe("name of the output that holds the map; null: the first"),
  frames: z.int().positive().default(8).describe("frames of a clip, T"),
  size: z.int().positive().default(224).describe("pixels, height and width"),
  mean: triple.default([0.485, 0.456, 0.406]).describe("of RGB on the scale 0 to 1; the default is ImageNet's"),
  std: triple.default([0.229, 0.224, 0.225]),
  layout: z.string().default("(b t) c h w").describe("axes of the input, of b t c h w"),
  mapLayout: z
    .string()
    .default("(b t) n d")
    .describe("axes of the output, of b t n d, or h w in the place of n; t may be shorter than the frames"),
  skipTokens: z.int().min(0).default(0).describe("class and register tokens in front of the places"),
  grid: z.tuple([z.int().positive(), z.int().positive()]).nullable().default(null).describe("rows and columns of n"),
  precision: precisionSchema,
})

export type OnnxEncoderConfig = z.infer<typeof onnxEncoderSchema>

/** @throws FourtierError when the file, its names or the patterns do not fit */
export async function openOnnxEncoder(given: OnnxEncoderConfig): Promise<VisualEncoder> {
  const config = { ...given, path: await requireFile(await localOnnx(given.path), "mend encoder.path") }
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
  const { path, precision: _, ...settings } = config
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
    id: hashJson({ encoder: "onnx", weights: await hashFile(path), ...settings }),
    frames: config.frames,
    resolution: [config.size, config.size],
    size: { T, H: grid[0], W: grid[1], D },
    async model(batch) {
      const before = toOnnx({ outputs: { [names.input]: fromFrames(config, batch) } })
      const after = toOnnx({ outputs: { [MAP]: toMap(config, await outputShape(batch), batch).map } })
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

function chosen(config: OnnxEncoderConfig, kind: "input" | "output", names: readonly string[]): string {
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
function fromFrames({ frames, size, mean, std, layout }: OnnxEncoderConfig, batch: number): Tensor {
  const x = input(FRAMES, [batch, frames, size, size, 3])
  const row = (values: readonly number[]) =>
    constant(
      Float32Array.from(values, (value) => 255 * value),
      [3],
    )
  return rearrange(div(sub(x, row(mean)), row(std)), `b t h w c -> ${layout}`)
}

function inputShape(config: OnnxEncoderConfig, batch: number): readonly number[] {
  return fromFrames(config, batch).shape
}

/** The file's output, an input named `map` here, as m [B,T',N,D]. */
function toMap(config: OnnxEncoderConfig, shape: readonly number[], batch: number) {
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
  { path }: OnnxEncoderConfig,
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

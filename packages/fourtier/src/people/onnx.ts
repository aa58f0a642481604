/** A detector in an ONNX file, whichever tool exported it: what it takes and puts out is a row of `FORMATS`. */

import { FourtierError, messageOf } from "@fourtier/tensor"
import { hashFile, hashJson, requireFile } from "@fourtier/tensor/node"
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node"
import type { Picture } from "../video/draw.ts"
import { LEAST_SCORE, type PersonDetector } from "./detector.ts"
import { type FittedPicture, fitPicture, fittedSize } from "./fit.ts"
import { FORMATS, type FormatName, type OutputArray, type OutputFormat, readOutputs, tellFormat } from "./outputs.ts"

export interface OnnxDetectorOptions {
  /** How outputs are read; told by their shapes where it is missing. */
  format?: FormatName
  /** Pixels of the picture's side where the file leaves it open; 640 by default, 1333 where any size will do. */
  size?: number
  /** Number of the class "person", where it is not that of the format's usual classes. */
  person?: number
  /** Score from which a box counts as sure; 0.5 by default. */
  sure?: number
  /** Threads of ONNX Runtime. */
  threads?: number
}

/** Grey of the bars around a letterboxed picture, as YOLO's tools have it. */
const BARS = 114

const DEFAULT_SIZE = 640
/** The long side to which torchvision's detectors scale pictures at most. */
const DEFAULT_FREE_SIZE = 1333
const DEFAULT_SURE = 0.5

/**
 * Opens a detector. It is run once, on an empty picture, to see what it puts out.
 * @throws FourtierError where the file is missing, does not run, or is of no known format
 *
 * @example
 * ```ts
 * import { openOnnxDetector } from "fourtier/people"
 *
 * const detector = await openOnnxDetector("yolo11n.onnx", { size: 640 })
 * const people = await detector.find({ data: new Uint8Array(240 * 320 * 3), width: 320, height: 240 })
 * await detector.release()
 * ```
 */
export async function openOnnxDetector(path: string, options: OnnxDetectorOptions = {}): Promise<PersonDetector> {
  const file = await requireFile(path, "give the path of an ONNX file of a detector")
  const session = await load(file, options.threads)
  try {
    const { size, person, sure = DEFAULT_SURE } = options
    const trial = sideOf(session, file, size ?? DEFAULT_SIZE)
    const first = options.format === undefined ? FORMATS.yolov8 : FORMATS[options.format]
    const empty = { data: new Uint8Array(trial.width * trial.height * 3), ...trial, area: { x: 0, y: 0, ...trial } }
    const outputs = await run(session, file, empty, { ...first, batch: hasBatch(session) })
    const name = options.format ?? tellFormat(session.inputNames, outputs)
    const known: OutputFormat = FORMATS[name]
    const open = known.fit === "free" && isOpen(session)
    const fit = known.fit === "free" && !open ? "letterbox" : known.fit
    const side = sideOf(session, file, size ?? (open ? DEFAULT_FREE_SIZE : DEFAULT_SIZE))
    const format: OutputFormat = { ...known, fit, batch: hasBatch(session), person: person ?? known.person }
    readOutputs(outputs, format, empty, 2)
    const settings = { detector: "onnx", weights: await hashFile(file), format: name, side, person: format.person }
    return {
      name: file.split(/[\\/]/).at(-1) ?? file,
      id: hashJson(settings),
      sure,
      sizeOf: (picture) => fittedSize(picture, format.fit, side),
      async find(picture: Picture) {
        const fitted = fitPicture(picture, format.fit, side, BARS)
        return readOutputs(await run(session, file, fitted, format), format, fitted, LEAST_SCORE)
      },
      release: () => session.release(),
    }
  } catch (error) {
    await session.release()
    throw naming(file, error)
  }
}

async function load(path: string, threads: number | undefined): Promise<InferenceSession> {
  try {
    const limit = threads === undefined ? {} : { intraOpNumThreads: threads }
    return await InferenceSession.create(path, { logSeverityLevel: 3, ...limit })
  } catch (error) {
    const found = messageOf(error)
    throw new FourtierError({ where: path, what: "ONNX Runtime cannot load the detector", found }, { cause: error })
  }
}

function naming(path: string, error: unknown): unknown {
  if (!(error instanceof FourtierError) || error.complaint.where !== "detector") return error
  return new FourtierError({ ...error.complaint, where: path }, { cause: error })
}

/** The input that takes the picture: the only one, or the one of floats with axes for colours and places. */
function pictureInput(session: InferenceSession) {
  const inputs = session.inputMetadata.filter((input) => input.isTensor)
  const pictures = inputs.filter(({ type, shape }) => type.startsWith("float") && shape.length >= 3)
  return pictures[0] ?? inputs[0]
}

const hasBatch = (session: InferenceSession) => pictureInput(session).shape.length === 4

/** Whether the file takes pictures of any size. */
const isOpen = (session: InferenceSession) =>
  pictureInput(session)
    .shape.slice(-2)
    .every((length) => typeof length === "string")

/** Width and height that the file takes, or `size` where it leaves them open. */
function sideOf(session: InferenceSession, path: string, size: number): { width: number; height: number } {
  const { name, type, shape } = pictureInput(session)
  const [channels, height, width] = shape.slice(-3)
  const colours = typeof channels === "string" || channels === 3
  if (type !== "float32" || !colours || (shape.length !== 3 && shape.length !== 4)) {
    throw new FourtierError({
      where: path,
      what: "its input is not a picture",
      expected: "float32 [1, 3, height, width], or [3, height, width]",
      found: `${name}: ${type} [${shape.join(", ")}]`,
      fix: "export it in float32 with channels first",
    })
  }
  return { width: typeof width === "string" ? size : width, height: typeof height === "string" ? size : height }
}

async function run(
  session: InferenceSession,
  path: string,
  picture: FittedPicture,
  format: OutputFormat,
): Promise<Map<string, OutputArray>> {
  const { width, height } = picture
  const planes = new OrtTensor("float32", planesOf(picture, format), [...(format.batch ? [1] : []), 3, height, width])
  const feeds: Record<string, OrtTensor> = {}
  const main = pictureInput(session).name
  for (const input of session.inputMetadata) {
    if (!input.isTensor) continue
    feeds[input.name] = input.name === main ? planes : besides(input, path, picture)
  }
  try {
    const values = await session.run(feeds)
    return new Map(
      Object.entries(values).flatMap(([name, { dims, data }]) => {
        return typeof data[0] === "string" || !ArrayBuffer.isView(data) ? [] : [[name, { dims, data: numbersOf(data) }]]
      }),
    )
  } catch (error) {
    throw new FourtierError(
      {
        where: path,
        what: `does not run on a picture of ${width}×${height}`,
        found: messageOf(error).split("\n")[0],
        fix: "give the side that it was exported for: --detector-size",
      },
      { cause: error },
    )
  }
}

function numbersOf(data: ArrayBufferView): ArrayLike<number | bigint> {
  if (data instanceof Float32Array || data instanceof Int32Array || data instanceof BigInt64Array) return data
  if (data instanceof Float64Array || data instanceof Uint8Array) return data
  return []
}

/** What else exports ask for: the size that boxes shall be of, and which pixels count. */
function besides(
  { name, type, shape }: InferenceSession.TensorValueMetadata,
  path: string,
  { width, height }: { width: number; height: number },
): OrtTensor {
  if (/size/i.test(name)) {
    return type === "int64"
      ? new OrtTensor("int64", BigInt64Array.of(BigInt(width), BigInt(height)), [1, 2])
      : new OrtTensor("float32", Float32Array.of(width, height), [1, 2])
  }
  if (/mask/i.test(name) && type === "int64") {
    const [rows, columns] = shape
      .slice(-2)
      .map((length, i) => (typeof length === "number" ? length : [height, width][i]))
    return new OrtTensor("int64", new BigInt64Array(rows * columns).fill(1n), [1, rows, columns])
  }
  throw new FourtierError({
    where: path,
    what: "an input that is not known",
    expected: "a picture, and orig_target_sizes or pixel_mask at most",
    found: `${name}: ${type}`,
  })
}

/** [height, width, 3] of bytes to [3, height, width], as the format scales them. */
function planesOf({ data, width, height }: FittedPicture, { mean, std }: OutputFormat): Float32Array {
  const area = width * height
  const planes = new Float32Array(3 * area)
  for (let channel = 0; channel < 3; channel++) {
    const [scale, shift] = [1 / (255 * std[channel]), mean[channel] / std[channel]]
    for (let i = 0, at = channel; i < area; i++, at += 3) planes[channel * area + i] = data[at] * scale - shift
  }
  return planes
}

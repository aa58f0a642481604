/**
 * Runs graphs in ONNX Runtime. Outputs may be bound to arrays that the caller owns: then a run allocates none.
 */

import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common"
import { defaultThreads, openEngine } from "#engine"
import { checkHolds, type Data, type DType, holds } from "../dtype.ts"
import { FourtierError, messageOf } from "../errors.ts"
import { encodeModel } from "../onnx/encode.ts"
import { type GraphOptions, toOnnx } from "../onnx/write.ts"
import { sizeOf, type TensorType } from "../shape.ts"
import { isOp, topologicalOrder } from "../tensor.ts"
import type { Engine } from "./engine.ts"
import { executionProviders, type Provider, type ProviderChoice, providersToTry } from "./provider.ts"

export interface SessionOptions {
  /** Default "cpu". */
  provider?: ProviderChoice
  /** Threads of one op; default: one per core that the process may use. */
  threads?: number
  /** Whether idle threads wait in a busy loop for the next op; default false: they would take the cores from everything else. */
  spinning?: boolean
  /** Files beside a model that is given as bytes: the path that it names them by, and their bytes (or address, in a page). */
  externalData?: readonly { path: string; data: string | Uint8Array }[]
  /** Writes the optimised graph there, to look at. */
  optimizedModelPath?: string
}

const NO_SPINNING = { session: { intra_op: { allow_spinning: "0" } } }

const ORT_TYPE = { f32: "float32", f16: "float16", i64: "int64", i32: "int32", bool: "bool" } as const

let live = 0

/**
 * Number of sessions that are not released: a leak shows here.
 *
 * @example
 * ```ts
 * import { fill, liveSessions, Session } from "@fourtier/tensor"
 *
 * const before = liveSessions()
 * const session = await Session.compile({ outputs: { y: fill([2], 1) } })
 * await session.release()
 * liveSessions() === before // true
 * ```
 */
export function liveSessions(): number {
  return live
}

/** Values by name, each an array of its tensor's dtype and size. */
export type Values = Record<string, Data>

/**
 * A graph or a model, loaded into ONNX Runtime. Release it when it is no longer needed.
 *
 * @example
 * ```ts
 * import { input, mul, Session } from "@fourtier/tensor"
 *
 * const session = await Session.compile({ outputs: { y: mul(input("x", [3]), 2) } }, { provider: "auto" })
 * const { y } = await session.run({ x: Float32Array.of(1, 2, 3) }) // 2, 4, 6
 * await session.release()
 * ```
 */
export class Session {
  /** The device really used. */
  readonly provider: Provider
  readonly inputs: ReadonlyMap<string, TensorType>
  readonly outputs: ReadonlyMap<string, TensorType>
  readonly #session: InferenceSession
  readonly #engine: Engine
  readonly #bound = new Map<string, { tensor: OrtTensor; data: Data }>()
  #released = false

  private constructor(
    session: InferenceSession,
    engine: Engine,
    provider: Provider,
    inputs: ReadonlyMap<string, TensorType>,
    outputs: ReadonlyMap<string, TensorType>,
  ) {
    this.#session = session
    this.#engine = engine
    this.provider = provider
    this.inputs = inputs
    this.outputs = outputs
    live++
  }

  /** Compiles a graph. */
  static async compile(graph: GraphOptions, options: SessionOptions = {}): Promise<Session> {
    const outputs = new Map<string, TensorType>(Object.entries(graph.outputs))
    const inputs = new Map<string, TensorType>()
    for (const node of topologicalOrder(Object.values(graph.outputs))) {
      if (isOp(node, "input") && !graph.weights?.has(node.attrs.name)) inputs.set(node.attrs.name, node)
    }
    return Session.#create(encodeModel(toOnnx(graph)), options, inputs, outputs)
  }

  /** Loads an ONNX file by its path, or its bytes. `types` are the static types of inputs and outputs. */
  static async load(
    model: string | Uint8Array,
    types: { inputs: ReadonlyMap<string, TensorType>; outputs: ReadonlyMap<string, TensorType> },
    options: SessionOptions = {},
  ): Promise<Session> {
    return Session.#create(model, options, types.inputs, types.outputs)
  }

  static async #create(
    model: string | Uint8Array,
    options: SessionOptions,
    inputs: ReadonlyMap<string, TensorType>,
    outputs: ReadonlyMap<string, TensorType>,
  ): Promise<Session> {
    const failures: string[] = []
    const threads = options.threads ?? defaultThreads()
    for (const provider of await providersToTry(options.provider ?? "cpu")) {
      const settings: InferenceSession.SessionOptions = {
        executionProviders: executionProviders(provider),
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        // planned blocks are kept beside the arena: up to twice the memory, and no faster
        enableMemPattern: false,
        ...(options.spinning === true ? {} : { extra: NO_SPINNING }),
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
        ...(options.externalData === undefined ? {} : { externalData: options.externalData }),
        ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
      }
      try {
        const engine = await openEngine(provider, threads)
        const session =
          typeof model === "string"
            ? await engine.InferenceSession.create(model, settings)
            : await engine.InferenceSession.create(model, settings)
        return new Session(session, engine, provider, inputs, outputs)
      } catch (error) {
        failures.push(`${provider}: ${messageOf(error)}`)
      }
    }
    throw new FourtierError({
      where: typeof model === "string" ? model : "graph",
      what: "ONNX Runtime cannot load the model",
      found: failures.join("; "),
    })
  }

  /** Makes every run write output `name` into `data`, instead of a new array. */
  bind(name: string, data: Data): void {
    const type = this.#type(this.outputs, name, "output")
    this.#bound.set(name, { tensor: this.#ortTensor(`output ${name}`, type, data), data })
  }

  /**
   * Computes the outputs, all of them or those that `only` names. Throws a FourtierError when an input is missing or of
   * another type or size.
   */
  async run(feeds: Values, only?: readonly string[]): Promise<Values> {
    if (this.#released) throw new Error("internal error: session used after release")
    const prepared: Record<string, OrtTensor> = {}
    for (const [name, type] of this.inputs) {
      const data = feeds[name]
      if (data === undefined) {
        throw new FourtierError({
          where: `input ${name}`,
          what: "not fed",
          expected: `${type.dtype} [${type.shape.join(",")}]`,
          found: `only ${Object.keys(feeds).join(", ") || "nothing"}`,
        })
      }
      prepared[name] = this.#ortTensor(`input ${name}`, type, data)
    }
    const wanted: Record<string, OrtTensor | null> = {}
    for (const name of only ?? this.outputs.keys()) {
      this.#type(this.outputs, name, "output")
      wanted[name] = this.#engine.writesGivenOutputs ? (this.#bound.get(name)?.tensor ?? null) : null
    }
    const results = await this.#session.run(prepared, wanted).catch((error: unknown) => {
      throw new FourtierError(
        { where: "graph", what: "ONNX Runtime cannot run the model", found: messageOf(error) },
        { cause: error },
      )
    })
    const values: Values = {}
    for (const name of Object.keys(wanted)) {
      const bound = this.#bound.get(name)?.data
      const type = this.#type(this.outputs, name, "output")
      // of an output that it has written, ONNX Runtime returns a copy: not needed
      if (bound && !this.#engine.writesGivenOutputs) copyInto(bound, dataOf(results[name], type.dtype))
      values[name] = bound ?? dataOf(results[name], type.dtype)
    }
    return values
  }

  /** Frees the memory; the session cannot be used afterwards. */
  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    live--
    this.#bound.clear()
    await this.#session.release()
  }

  #ortTensor(where: string, { dtype, shape }: TensorType, data: Data): OrtTensor {
    checkHolds(where, dtype, data, sizeOf(shape))
    return new this.#engine.Tensor(ORT_TYPE[dtype], data, shape)
  }

  #type(types: ReadonlyMap<string, TensorType>, name: string, kind: string): TensorType {
    const type = types.get(name)
    if (type) return type
    throw new FourtierError({
      where: `${kind} ${name}`,
      what: `the graph has no such ${kind}`,
      expected: `one of ${[...types.keys()].join(", ")}`,
    })
  }
}

function dataOf(tensor: OrtTensor, dtype: DType): Data {
  const { data } = tensor
  const words: unknown = data
  // ONNX Runtime returns float16 as Float16Array where the JavaScript engine has one, else as Uint16Array
  if (dtype === "f16" && ArrayBuffer.isView(words)) {
    return new Uint16Array(words.buffer, words.byteOffset, words.byteLength / 2)
  }
  for (const kind of ["f32", "i64", "i32", "bool"] as const) {
    if (kind === dtype && isData(words) && holds(kind, words)) return words
  }
  throw new Error(`internal error: ONNX Runtime returned ${tensor.type} for ${dtype}`)
}

/** Copies an array into one of the same type. */
function copyInto(target: Data, source: Data): void {
  if (target instanceof BigInt64Array && source instanceof BigInt64Array) target.set(source)
  else if (!(target instanceof BigInt64Array) && !(source instanceof BigInt64Array)) target.set(source)
}

function isData(value: unknown): value is Data {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
}

/**
 * Compiles a graph, runs it once and releases it: for tests and one-off computations.
 *
 * @example
 * ```ts
 * import { constant, evaluate, softmax } from "@fourtier/tensor"
 *
 * const x = constant(Float32Array.of(0, Math.log(3)), [2])
 * const { y } = await evaluate({ outputs: { y: softmax(x) } }) // 0.25, 0.75
 * ```
 */
export async function evaluate(graph: GraphOptions, feeds: Values = {}, options?: SessionOptions): Promise<Values> {
  const session = await Session.compile(graph, options)
  try {
    return await session.run(feeds)
  } finally {
    await session.release()
  }
}

/**
 * Dynamic quantisation: products of activations with constant matrices in 8-bit integers, everything else in float32.
 *
 * ```
 * y = x·W      x [..,K] f32                                     W [K,N] f32
 *              a = max |x| of each row [..,1]                   b = max |W| of each column [N]
 *              q = round(127·x/a) + 128   u8                    V = round(64·W/b)   i8
 *              y = (q − 128)·V · a/127 · b/64
 * ```
 * One scale a row: a clip's result depends on nothing but the clip, whatever else is in the batch, and a token of huge
 * activations (trained transformers have some) loses precision alone. One scale for all rows, as `DynamicQuantizeLinear`
 * takes it, would do neither.
 *
 * Weights use 64 of the 127 steps to either side: processors without VNNI or dot products add up pairs of products in 16 bits
 * that saturate, and 2·255·64 = 32640 is below 2^15. So results are the same on every processor.
 */

import { castTo, constantOf, floatsOf, isFloatConstant, onnxNode } from "./constants.ts"
import { type AttributeProto, DataType, type GraphProto, type ModelProto, type NodeProto } from "./proto.ts"
import { opsetOf, upgradeOpset } from "./upgrade.ts"

/** Steps from zero to the largest activation of a row. */
const ROW_STEPS = 127
/** Steps from zero to the largest weight of a column. */
const COLUMN_STEPS = 64
/** The zero point of activations. */
const ZERO = 128

/** Smaller matrices [K,N] take as long or longer in integers, because of the passes over rows before and after the product. */
const MIN_SIZE = { K: 256, N: 128 }

/** Operators are written in their form since this operator set. */
const OPSET = 18

/** A product with a constant matrix, whatever operator writes it. */
interface Product {
  x: string
  weight: string
  /** Whether the constant is [N,K]. */
  transposed: boolean
  bias: string
  y: string
}

/**
 * The same model with its products by large constant matrices quantised, and how many they are. Convolutions, products of two
 * activations (attention), embeddings and small matrices stay float32.
 *
 * @example
 * ```ts
 * import { readOnnx, writeOnnx } from "@fourtier/tensor/node"
 * import { quantise } from "@fourtier/tensor/onnx"
 *
 * const { model, products } = quantise(await readOnnx("encoder.onnx"))
 * if (products > 0) await writeOnnx("encoder-int8.onnx", model)
 * ```
 */
export function quantise(given: ModelProto): { model: ModelProto; products: number } {
  const model = upgradeOpset(given, Math.max(opsetOf(given), OPSET))
  const { graph } = model
  const isFloat = isFloatConstant(model)
  const constants = new Map(graph.initializers.filter(isFloat).map((tensor) => [tensor.name, tensor]))
  const rewriter = new Rewriter()
  for (const node of graph.nodes) {
    const product = productOf(node)
    const weight = product && constants.get(product.weight)
    if (!product || !weight || weight.dims.length !== 2) {
      rewriter.keep(node)
      continue
    }
    const [K, N] = product.transposed ? [weight.dims[1], weight.dims[0]] : weight.dims
    if (K < MIN_SIZE.K || N < MIN_SIZE.N) rewriter.keep(node)
    else rewriter.quantise(product, floatsOf(weight), K, N)
  }
  const nodes = rewriter.nodes
  const used = namesUsed({ ...graph, nodes })
  const initializers = [...graph.initializers.filter(({ name }) => used.has(name)), ...rewriter.constants.values()]
  return { model: { ...model, graph: { ...graph, nodes, initializers } }, products: rewriter.products }
}

/** `MatMul`, or `Gemm` as PyTorch exports linear layers. */
function productOf({ opType, domain, inputs, outputs, attributes }: NodeProto): Product | null {
  if (domain !== "" && domain !== "ai.onnx") return null
  const [x, weight, bias = ""] = inputs
  const product = { x, weight, bias, y: outputs[0] }
  if (opType === "MatMul") return { ...product, transposed: false }
  if (opType !== "Gemm") return null
  const value = (name: string, fallback: number) => {
    const attribute = attributes.find((one) => one.name === name)
    return attribute?.kind === "int" || attribute?.kind === "float" ? attribute.value : fallback
  }
  const plain = value("alpha", 1) === 1 && value("beta", 1) === 1 && value("transA", 0) === 0
  return plain ? { ...product, transposed: value("transB", 0) === 1 } : null
}

/** Collects the nodes and constants of the new graph. Rows that several products share are quantised once. */
class Rewriter {
  readonly nodes: NodeProto[] = []
  readonly constants = new Map<string, GraphProto["initializers"][number]>()
  products = 0
  /** Values whose rows are quantised already. */
  readonly #rows = new Set<string>()

  keep(node: NodeProto): void {
    this.nodes.push(node)
  }

  quantise({ x, weight, transposed, bias, y }: Product, values: Float32Array, K: number, N: number): void {
    this.products++
    const { rows, scale } = this.#quantiseRows(x, K)
    const matrix = `${weight}/int8${transposed ? "/transposed" : ""}`
    if (!this.constants.has(matrix)) {
      const { whole, scales } = quantiseColumns(values, K, N, transposed)
      this.#constant(constantOf(matrix, DataType.INT8, [K, N], whole))
      this.#constant(constantOf(`${matrix}/scale`, DataType.FLOAT, [N], scales))
    }
    const zero = this.#constant(constantOf("int8/zero", DataType.UINT8, [], Uint8Array.of(ZERO)))
    const sums = this.#node("MatMulInteger", [rows, matrix, zero], `${y}/sums`)
    const floats = this.#node("Cast", [sums], `${y}/floats`, [castTo(DataType.FLOAT)])
    const columns = this.#node("Mul", [floats, `${matrix}/scale`], `${y}/columns`)
    const product = this.#node("Mul", [columns, scale], bias === "" ? y : `${y}/product`)
    if (bias !== "") this.#node("Add", [product, bias], y)
  }

  /** x [..,K] as integers, and the scale of each row [..,1]. */
  #quantiseRows(x: string, K: number): { rows: string; scale: string } {
    const names = { rows: `${x}/rows`, scale: `${x}/rows/scale` }
    if (this.#rows.has(x)) return names
    this.#rows.add(x)
    const last = this.#constant(constantOf("int8/last axis", DataType.INT64, [1], BigInt64Array.of(-1n)))
    const flat = this.#constant(constantOf(`int8/rows of ${K}`, DataType.INT64, [2], BigInt64Array.of(-1n, BigInt(K))))
    const least = this.#constant(constantOf("int8/least", DataType.FLOAT, [], Float32Array.of(1e-30)))
    const step = this.#constant(constantOf("int8/step", DataType.FLOAT, [], Float32Array.of(1 / ROW_STEPS)))

    const magnitude = this.#node("Abs", [x], `${x}/magnitude`)
    const largest = this.#node("ReduceMax", [magnitude, last], `${x}/largest`) // [..,K] -> [..,1]
    const positive = this.#node("Max", [largest, least], `${x}/positive`)
    this.#node("Mul", [positive, step], names.scale)
    // QuantizeLinear takes scales and zeros of one axis: [..,K] -> [rows,K], scales [..,1] -> [rows]
    const matrix = this.#node("Reshape", [x, flat], `${x}/matrix`)
    const scales = this.#node("Reshape", [names.scale, last], `${x}/scales`)
    const count = this.#node("Shape", [scales], `${x}/count`)
    const zeros = this.#node("ConstantOfShape", [count], `${x}/zeros`, [
      { name: "value", kind: "tensor", value: constantOf("", DataType.UINT8, [1], Uint8Array.of(ZERO)) },
    ])
    const whole = this.#node("QuantizeLinear", [matrix, scales, zeros], `${x}/whole`, [
      { name: "axis", kind: "int", value: 0 },
    ])
    const shape = this.#node("Shape", [x], `${x}/shape`)
    this.#node("Reshape", [whole, shape], names.rows)
    return names
  }

  #node(opType: string, inputs: readonly string[], output: string, attributes: readonly AttributeProto[] = []): string {
    this.nodes.push(onnxNode(opType, inputs, [output], attributes))
    return output
  }

  #constant(tensor: GraphProto["initializers"][number]): string {
    if (!this.constants.has(tensor.name)) this.constants.set(tensor.name, tensor)
    return tensor.name
  }
}

/** A matrix [K,N], or [N,K] when `transposed`, as integers [K,N] and the scale of each column [N]. */
function quantiseColumns(
  values: Float32Array,
  K: number,
  N: number,
  transposed: boolean,
): { whole: Int8Array; scales: Float32Array } {
  const [alongK, alongN] = transposed ? [1, K] : [N, 1]
  const scales = new Float32Array(N)
  for (let k = 0; k < K; k++) {
    for (let n = 0; n < N; n++) scales[n] = Math.max(scales[n], Math.abs(values[k * alongK + n * alongN]))
  }
  for (let n = 0; n < N; n++) scales[n] = scales[n] > 0 ? scales[n] / COLUMN_STEPS : 1
  const whole = new Int8Array(K * N)
  for (let k = 0; k < K; k++) {
    for (let n = 0; n < N; n++) whole[k * N + n] = Math.round(values[k * alongK + n * alongN] / scales[n])
  }
  return { whole, scales }
}

/** Names that nodes read, those of graphs inside nodes included, and the graph's outputs. */
function namesUsed({ nodes, outputs }: GraphProto): Set<string> {
  const used = new Set(outputs.map(({ name }) => name))
  for (const { inputs, attributes } of nodes) {
    for (const name of inputs) used.add(name)
    for (const attribute of attributes) {
      const inner = attribute.kind === "graph" ? [attribute.value] : attribute.kind === "graphs" ? attribute.value : []
      for (const graph of inner) for (const name of namesUsed(graph)) used.add(name)
    }
  }
  return used
}

/** Joins models end to end: outputs of the first become inputs of the second, in one file. */

import { FourtierError } from "../errors.ts"
import type { AttributeProto, GraphProto, ModelProto, NodeProto } from "./proto.ts"
import { opsetOf, upgradeOpset } from "./upgrade.ts"

/**
 * One model that runs `first` and feeds its outputs to `second`. Its inputs are those of the first and the unconnected ones
 * of the second, its outputs those of the second. Throws a FourtierError when an output does not fit the input it goes to,
 * or when both models define a name.
 *
 * @param connections output of `first` → input of `second`
 *
 * @example
 * ```ts
 * import { add, input, mul } from "@fourtier/tensor"
 * import { mergeModels, toOnnx } from "@fourtier/tensor/onnx"
 *
 * const encoder = toOnnx({ outputs: { m: mul(input("frames", [2, 3]), 2) } })
 * const head = toOnnx({ outputs: { y: add(input("m", [2, 3]), 1) } })
 * const both = mergeModels(encoder, head, { m: "m" }) // frames -> y
 * ```
 */
export function mergeModels(
  first: ModelProto,
  second: ModelProto,
  connections: Readonly<Record<string, string>>,
): ModelProto {
  const opset = Math.max(opsetOf(first), opsetOf(second))
  const a = prefixed(upgradeOpset(first, opset).graph, "first/", new Set(first.graph.inputs.map(({ name }) => name)))
  const produced = new Map<string, string>()
  for (const [from, to] of Object.entries(connections)) {
    checkConnection(first, second, from, to)
    produced.set(to, `first/${from}`)
  }
  const b = withInputs(upgradeOpset(second, opset).graph, produced)
  const connected = new Set(produced.values())
  const taken = new Set(namesOf(a))
  const clash = namesOf(b).find((name) => taken.has(name))
  if (clash !== undefined) {
    throw new FourtierError({ where: "merging ONNX models", what: "a name is used by both", found: clash })
  }
  const defined = new Set((first.functions ?? []).map(({ domain, name }) => `${domain}.${name}`))
  const twice = (second.functions ?? []).find(({ domain, name }) => defined.has(`${domain}.${name}`))
  if (twice) {
    throw new FourtierError({ where: "merging ONNX models", what: "both define the same function", found: twice.name })
  }
  const domains = new Map([...first.opsetImport, ...second.opsetImport].map(({ domain, version }) => [domain, version]))
  domains.delete("ai.onnx")
  domains.set("", opset)
  return {
    irVersion: Math.max(first.irVersion, second.irVersion),
    producerName: second.producerName,
    opsetImport: [...domains].map(([domain, version]) => ({ domain, version })),
    metadataProps: { ...first.metadataProps, ...second.metadataProps },
    functions: [...(first.functions ?? []), ...(second.functions ?? [])],
    graph: {
      name: second.graph.name,
      nodes: [...a.nodes, ...b.nodes],
      initializers: [...a.initializers, ...b.initializers],
      inputs: [...a.inputs, ...b.inputs.filter(({ name }) => !connected.has(name))],
      outputs: b.outputs,
      valueInfo: [],
    },
  }
}

function checkConnection(first: ModelProto, second: ModelProto, from: string, to: string): void {
  const output = first.graph.outputs.find(({ name }) => name === from)
  const input = second.graph.inputs.find(({ name }) => name === to)
  const fits =
    output !== undefined &&
    input !== undefined &&
    output.elemType === input.elemType &&
    (output.dims === null || input.dims === null || compatible(output.dims, input.dims))
  if (fits) return
  const show = (value: typeof output) => (value ? `${value.name} [${value.dims?.join(",") ?? "?"}]` : "nothing")
  throw new FourtierError({
    where: `merging ONNX models: ${from} → ${to}`,
    what: "output and input do not fit",
    expected: show(input),
    found: show(output),
  })
}

function compatible(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  return (
    a.length === b.length &&
    a.every((length, i) => typeof length === "string" || typeof b[i] === "string" || length === b[i])
  )
}

/** Every name but those kept gets the prefix; empty names (absent optional inputs) stay empty. */
function prefixed(graph: GraphProto, prefix: string, keep: ReadonlySet<string>): GraphProto {
  return renamed(graph, (name) => (name === "" || keep.has(name) ? name : `${prefix}${name}`))
}

function withInputs(graph: GraphProto, produced: ReadonlyMap<string, string>): GraphProto {
  return renamed(graph, (name) => produced.get(name) ?? name)
}

function renamed(graph: GraphProto, rename: (name: string) => string): GraphProto {
  const node = (n: NodeProto): NodeProto => ({
    ...n,
    name: n.name === "" ? "" : rename(n.name),
    inputs: n.inputs.map(rename),
    outputs: n.outputs.map(rename),
    attributes: n.attributes.map(attribute),
  })
  const attribute = (a: AttributeProto): AttributeProto =>
    a.kind === "graph"
      ? { ...a, value: renamed(a.value, rename) }
      : a.kind === "graphs"
        ? { ...a, value: a.value.map((g) => renamed(g, rename)) }
        : a
  const named = <T extends { name: string }>(items: readonly T[]) => items.map((i) => ({ ...i, name: rename(i.name) }))
  return {
    ...graph,
    nodes: graph.nodes.map(node),
    initializers: named(graph.initializers),
    inputs: named(graph.inputs),
    outputs: named(graph.outputs),
    valueInfo: [],
  }
}

function namesOf(graph: GraphProto): string[] {
  return [...graph.nodes.flatMap(({ outputs }) => outputs), ...graph.initializers.map(({ name }) => name)]
}

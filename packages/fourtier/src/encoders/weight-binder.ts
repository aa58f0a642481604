/**
 * Binds a graph's weights to a checkpoint's parameters. A graph asks for tensors by the names and in the layout of the
 * reference code; where another layout or a folded value runs faster, it says how to make that from the checkpoint's tensors.
 * The binder keeps a list of everything asked for, so that a checkpoint is compared with it, key by key, before it is read.
 *
 * ```
 * graph ──asks──► WeightBinder ─┬─ expected names and shapes ──► matchWeights ◄── checkpoint
 *                               └─ values of the graph's weights ◄── make ◄── tensors, one at a time
 * ```
 */

import { input, type Shape, sameShape, showShape, sizeOf, type Tensor } from "@fourtier/tensor"
import { matchWeights } from "@fourtier/tensor/nn"

/** Where weights come from: a checkpoint, or a random generator. Names are those of the reference code. */
export interface WeightSource {
  /** For errors. */
  readonly where: string
  /** Shapes of all tensors by name; null: it has a tensor of any name and shape. */
  readonly shapes: ReadonlyMap<string, Shape> | null
  /** How the file spells a name, also of a tensor that it lacks. */
  readonly spelling?: (name: string) => string
  read(name: string, shape: Shape): Promise<Float32Array>
}

/** A tensor of the checkpoint. */
export interface SourceTensor {
  name: string
  shape: Shape
  /**
   * For position tables: how a table of another size is interpolated, and which sizes can be. `always`: it sees tables of
   * equal size, too.
   */
  adapt?: { fits(found: Shape): boolean; make(values: Float32Array, found: Shape): Float32Array; always?: boolean }
}

interface Derived {
  readonly tensor: Tensor<"input">
  readonly sources: readonly SourceTensor[]
  readonly make: (...values: Float32Array[]) => Float32Array
}

interface State {
  readonly derived: Map<string, Derived>
  readonly skipped: ((name: string) => boolean)[]
  readonly known: ReadonlySet<string> | null
  readonly separator: string
}

/**
 * The weights of one graph.
 *
 * @example
 * ```ts
 * const binder = WeightBinder.over(null)
 * const y = matmul(x, binder.in("head").weight("weight", [8, 4])) // asks for head.weight
 * const weights = await binder.load(randomSource(0)) // Map { "head.weight" => Float32Array(32) }
 * ```
 */
export class WeightBinder {
  readonly #prefix: string
  readonly #state: State

  private constructor(prefix: string, state: State) {
    this.#prefix = prefix
    this.#state = state
  }

  /** @param known the checkpoint's names; null where it has every name */
  static over(known: ReadonlySet<string> | null, separator = "."): WeightBinder {
    return new WeightBinder("", { derived: new Map(), skipped: [], known, separator })
  }

  /** The same weights, their names prefixed with `<this>.<name>.` */
  in(name: string): WeightBinder {
    return new WeightBinder(this.path(name), this.#state)
  }

  /** A name with its prefix. */
  path(name: string): string {
    return this.#prefix === "" ? name : `${this.#prefix}${this.#state.separator}${name}`
  }

  /**
   * Whether the checkpoint has a tensor of this name: for parts that may be absent on purpose.
   *
   * @param unknown what holds for a checkpoint that has every name, such as random weights
   */
  has(name: string, unknown = true): boolean {
    return this.#state.known?.has(this.path(name)) ?? unknown
  }

  /** Lets the checkpoint have tensors that the graph does without: those for which `matches` holds. */
  skip(matches: (name: string) => boolean): void {
    this.#state.skipped.push(matches)
  }

  /** A tensor as it is in the checkpoint. */
  weight(name: string, shape: Shape, adapt?: SourceTensor["adapt"]): Tensor {
    return this.derive(name, [{ name, shape, ...(adapt ? { adapt } : {}) }], shape, (values) => values)
  }

  /**
   * A tensor [shape] made from tensors of the checkpoint.
   *
   * @param label its name in the graph, unique below this prefix
   */
  derive(
    label: string,
    sources: readonly SourceTensor[],
    shape: Shape,
    make: (...values: Float32Array[]) => Float32Array,
  ): Tensor {
    const path = this.path(label)
    const known = this.#state.derived.get(path)
    if (known) {
      if (!sameShape(known.tensor.shape, shape)) throw new Error(`internal error: ${path} has two shapes`)
      return known.tensor
    }
    const full = sources.map((source) => ({ ...source, name: this.path(source.name) }))
    const tensor = input(path, shape)
    this.#state.derived.set(path, { tensor, sources: full, make })
    return tensor
  }

  /** Elements of all tensors asked for: the number of weights, as in the checkpoint. */
  get weightCount(): number {
    return [...this.#expected()].reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0)
  }

  /** Names and shapes asked for so far. */
  get expected(): Map<string, Shape> {
    return new Map([...this.#expected()].map(([name, { shape }]) => [name, shape]))
  }

  /**
   * Values of the graph's weights, by their names in the graph.
   *
   * @throws FourtierError that lists missing, extra and mis-shaped keys
   */
  async load(source: WeightSource): Promise<Map<string, Float32Array>> {
    const expected = this.#expected()
    if (source.shapes !== null) {
      const found = new Map(source.shapes)
      for (const [name, { shape, adapt }] of expected) {
        const other = found.get(name)
        if (adapt && other && adapt.fits(other)) found.set(name, shape)
      }
      const shapes = new Map([...expected].map(([name, { shape }]) => [name, shape]))
      const allowExtra = (name: string) => this.#state.skipped.some((matches) => matches(name))
      matchWeights(shapes, found, { where: source.where, spelling: source.spelling, allowExtra })
    }
    const values = new Map<string, Float32Array>()
    const read = cachingLast(source)
    for (const [path, { tensor, sources, make }] of this.#state.derived) {
      const parts: Float32Array[] = []
      for (const part of sources) parts.push(await read(part))
      const made = make(...parts)
      if (made.length !== tensor.size) {
        throw new Error(`internal error: ${path} has ${made.length} elements instead of ${showShape(tensor.shape)}`)
      }
      values.set(path, made)
    }
    return values
  }

  #expected(): Map<string, SourceTensor> {
    const all = [...this.#state.derived.values()].flatMap(({ sources }) => sources)
    return new Map(all.map((source) => [source.name, source]))
  }
}

/** Reads tensors; one that several weights in a row are made from is read once. */
function cachingLast(source: WeightSource): (part: SourceTensor) => Promise<Float32Array> {
  let last: { name: string; shape: Shape; values: Float32Array } = { name: "", shape: [], values: new Float32Array() }
  return async (part) => {
    const { name, shape } = part
    if (last.name !== name || !sameShape(last.shape, shape)) {
      last = { name, shape, values: await readPart(source, part) }
    }
    return last.values
  }
}

async function readPart(source: WeightSource, { name, shape, adapt }: SourceTensor): Promise<Float32Array> {
  const found = source.shapes?.get(name) ?? shape
  const values = await source.read(name, found)
  return adapt && (adapt.always || !sameShape(found, shape)) ? adapt.make(values, found) : values
}

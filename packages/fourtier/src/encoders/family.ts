/**
 * A family of encoder networks as one object: the dimensions that tell its networks apart, how checkpoints name their
 * parameters, the graph, and what the family is as a frozen visual encoder. `families/index.ts` lists every family.
 *
 * ```
 * configuration ──schema──► network ─┬─ graph:      inputs ──► outputs, intermediates
 *                                    └─ featureMap: clips [B,T,H,W,3], normalised ──► m [B,T',H',W',D]
 * ```
 */

import type { Tensor } from "@fourtier/tensor"
import type { z } from "zod"
import type { EncoderGraph, Inputs } from "./graph.ts"
import type { JointTower } from "./joint.ts"
import type { Preset } from "./presets.ts"
import { WeightBinder } from "./weight-binder.ts"

/** A schema that can stand in a discriminated union. */
export type Discriminable = z.core.$ZodTypeDiscriminable

/** A schema of dimensions: the key `encoder` tells whose they are. */
export type DimensionsSchema = z.ZodType<{ encoder: string }> & Discriminable

/** The space that a family's networks share with a text tower: see `joint.ts`. */
export interface JointDefinition<D> {
  /** The pair of towers; null for networks that are no part of one. */
  tower(dimensions: D): JointTower | null
  /**
   * What of a clip meets the texts.
   *
   * @param clips [B,T,H,W,3], normalised
   * @returns [B,R,E]
   */
  rows(binder: WeightBinder, dimensions: D, clips: Tensor): Tensor
  /** rows [B,R,E] and texts [C,E] -> [B,C] */
  logits(binder: WeightBinder, dimensions: D, rows: Tensor, texts: Tensor): Tensor
}

/** A family as frozen visual encoder. `K` is its kind, `M` the names of its official sizes. */
export interface VisualDefinition<S extends DimensionsSchema, K extends string, M extends string> {
  /** The setting `encoder.kind`. */
  readonly kind: K
  /** Official sizes by name: values of the setting `encoder.model`. */
  readonly models: Readonly<Record<M, Preset>>
  readonly defaultModel: NoInfer<M>
  /** The dimensions that give a frame's height and width in pixels and, for networks over clips, the frames of a clip; networks without the latter see each frame by itself. */
  readonly clipKeys: { readonly resolution: keyof z.output<S> & string; readonly frames?: keyof z.output<S> & string }
  /** Whether frames may be any height and width: the feature map's grid is that of the clips, and positions follow it. */
  readonly anyShape?: boolean
  /** Whether a parameter is not needed for the feature map. */
  unused(name: string): boolean
  /**
   * The part of the network that leads to the feature map.
   *
   * @param clips [B,T,H,W,3], normalised
   * @returns m [B,T',H',W',D]
   */
  featureMap(binder: WeightBinder, dimensions: z.output<S>, clips: Tensor): Tensor
  /**
   * The whole network as it was published, up to what its classification layer reads: to be counted, for families whose map needs a
   * part of it alone.
   *
   * @param clips [B,T,H,W,3], normalised
   */
  whole?(binder: WeightBinder, dimensions: z.output<S>, clips: Tensor): Tensor
  /** For families whose checkpoints hold a text tower too. */
  readonly joint?: JointDefinition<z.output<S>>
}

/** What `defineFamily` takes: `V` is what the family is as a frozen visual encoder. */
export interface FamilyDefinition<S extends DimensionsSchema, V> {
  /** Dimensions and switches of a network: the keys of docs/encoders.md. Other keys are dropped. */
  readonly dimensions: S
  /** Names of a network's inputs, the needed one first. */
  inputs(dimensions: z.output<S>): readonly string[]
  /**
   * The name that the reference code gives to what a checkpoint stores as `key`; null where that is no parameter.
   *
   * @param keys all keys of the checkpoint
   */
  parameterName(key: string, keys: ReadonlySet<string>): string | null
  /** Sections of its checkpoints that hold the weights, where they are not the usual ones: the wanted one first. */
  readonly sections?: readonly string[]
  /** Between the parts of a parameter's name; "." by default. */
  readonly separator?: string
  /** Everything that a network computes from those inputs that are given. */
  graph(binder: WeightBinder, dimensions: z.output<S>, inputs: Inputs): EncoderGraph
  /** The family as frozen visual encoder; null where its inputs are not pictures. */
  readonly visual: V
}

/** A network of known dimensions. */
export interface EncoderNetwork {
  readonly dimensions: { readonly encoder: string }
  /** Names of the inputs, the needed one first. */
  readonly inputs: readonly string[]
  /** See `FamilyDefinition.parameterName`. */
  parameterName(key: string, keys: ReadonlySet<string>): string | null
  /** See `FamilyDefinition.sections`. */
  readonly sections?: readonly string[]
  /** A binder of the network's weights. @param names the parameters that the checkpoint has; null: any */
  binder(names: ReadonlySet<string> | null): WeightBinder
  /** Everything that the network computes from those inputs that are given. */
  graph(binder: WeightBinder, inputs: Inputs): EncoderGraph
}

/** A network that serves as frozen visual encoder. */
export interface VisualNetwork extends EncoderNetwork {
  /** The feature map m [B,T',H',W',D] of normalised clips [B,T,H,W,3]. Parameters that it does not need are skipped. */
  featureMap(binder: WeightBinder, clips: Tensor): Tensor
  /** See `VisualDefinition.whole`; null where the family does not have it. */
  readonly whole: ((binder: WeightBinder, clips: Tensor) => Tensor) | null
  /** See `JointDefinition`; null where there is no text tower. Parameters that it does not need are skipped. */
  readonly joint: {
    readonly tower: JointTower
    rows(binder: WeightBinder, clips: Tensor): Tensor
    logits(binder: WeightBinder, rows: Tensor, texts: Tensor): Tensor
  } | null
}

/** From a configuration to its network. */
export type NetworkSchema<N extends EncoderNetwork = EncoderNetwork> = z.ZodType<N> & Discriminable

/** A family as frozen visual encoder, see `VisualDefinition`. */
export interface VisualFamily<K extends string = string> {
  readonly kind: K
  readonly models: Readonly<Record<string, Preset>>
  readonly defaultModel: string
  /** The dimensions of a network over clips of T `frames` of this height and width in pixels. */
  clipDimensions(frames: number, resolution: number): Record<string, number>
  readonly schema: NetworkSchema<VisualNetwork>
  /** Whether each frame's part of the map depends on that frame alone. */
  readonly frameWise: boolean
  /** Whether frames may be any height and width; others are squares. */
  readonly anyShape: boolean
}

/** See `FamilyDefinition`. */
export interface Family<V extends VisualFamily | null = VisualFamily | null> {
  readonly schema: NetworkSchema
  readonly visual: V
}

/**
 * Makes a family of its definition: the dimensions that a configuration is parsed to are bound to the family's functions.
 *
 * @example
 * ```ts
 * export const projection = defineFamily({
 *   dimensions: z.object({ encoder: z.literal("projection"), width: count }),
 *   inputs: () => ["input"],
 *   parameterName: (key) => key,
 *   graph(binder, { width }, inputs) {
 *     const y = linear(binder, "fc", inputNamed(inputs, "input", "batch,feature"), width)
 *     return { outputs: { y }, intermediates: {} }
 *   },
 *   visual: null,
 * })
 * projection.schema.parse({ encoder: "projection", width: 4 }).inputs // ["input"]
 * ```
 */
export function defineFamily<S extends DimensionsSchema, K extends string, M extends string>(
  definition: FamilyDefinition<S, VisualDefinition<S, K, M>>,
): Family<VisualFamily<K>>
export function defineFamily<S extends DimensionsSchema>(definition: FamilyDefinition<S, null>): Family<null>
export function defineFamily<S extends DimensionsSchema, K extends string, M extends string>(
  definition: FamilyDefinition<S, VisualDefinition<S, K, M> | null>,
): Family {
  const { dimensions: schema, visual, separator = "." } = definition
  const networkOf = (dimensions: z.output<S>): EncoderNetwork => ({
    dimensions,
    inputs: definition.inputs(dimensions),
    parameterName: definition.parameterName,
    sections: definition.sections,
    binder: (names) => WeightBinder.over(names, separator),
    graph: (binder, inputs) => definition.graph(binder, dimensions, inputs),
  })
  if (visual === null) return { schema: schema.transform(networkOf), visual }
  const { joint, whole } = visual
  const all = (binder: WeightBinder) => {
    binder.skip(() => true)
    return binder
  }
  const jointOf = (dimensions: z.output<S>): VisualNetwork["joint"] => {
    const tower = joint?.tower(dimensions) ?? null
    if (!joint || tower === null) return null
    return {
      tower,
      rows: (binder, clips) => joint.rows(all(binder), dimensions, clips),
      logits: (binder, rows, texts) => joint.logits(all(binder), dimensions, rows, texts),
    }
  }
  const visualNetworkOf = (dimensions: z.output<S>): VisualNetwork => ({
    ...networkOf(dimensions),
    whole: whole ? (binder, clips) => whole(all(binder), dimensions, clips) : null,
    joint: jointOf(dimensions),
    featureMap(binder, clips) {
      binder.skip(visual.unused)
      return visual.featureMap(binder, dimensions, clips)
    },
  })
  const { kind, models, defaultModel, clipKeys, anyShape = false } = visual
  return {
    schema: schema.transform(networkOf),
    visual: {
      kind,
      models,
      defaultModel,
      clipDimensions: (frames, resolution) => ({
        [clipKeys.resolution]: resolution,
        ...(clipKeys.frames === undefined ? {} : { [clipKeys.frames]: frames }),
      }),
      schema: schema.transform(visualNetworkOf),
      frameWise: clipKeys.frames === undefined,
      anyShape,
    },
  }
}

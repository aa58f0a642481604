/**
 * The networks that texts may go through, and how texts become their numbers: CLIP's text tower, those of its relatives, BERT.
 * The text tower of a pair of towers shares a space with the pictures of its image tower.
 */

import { cast, constant, div, FourtierError, matmul, mul, reshape, sum, type Tensor } from "@fourtier/tensor"
import { z } from "zod"
import { bertName, bertSizes, bertTower } from "../encoders/bert.ts"
import {
  type ClipTextConfig,
  clip,
  clipName,
  clipTextSizes,
  clipTextTower,
  isClipText,
} from "../encoders/families/clip.ts"
import { peCore, peName, peTextSizes } from "../encoders/families/pe-core.ts"
import { xclip, xclipName } from "../encoders/families/xclip.ts"
import type { JointTower } from "../encoders/joint.ts"
import { type Preset, presetOf } from "../encoders/presets.ts"
import { SIGLIP_TEXT, siglipTextName, siglipTextSizes, siglipTextTower } from "../encoders/siglip.ts"
import type { WeightBinder } from "../encoders/weight-binder.ts"
import { BpeTokenizer } from "./bpe.ts"
import { SentencePieceTokenizer } from "./sentencepiece.ts"
import type { TextNetworkConfig } from "./settings.ts"
import { WordPieceTokenizer } from "./wordpiece.ts"

/** A network over padded texts. */
export interface TextNetwork {
  /** The pair of towers that it is part of; null where its space is its own. */
  readonly tower: JointTower | null
  /** L at most. */
  readonly limit: number
  readonly width: number
  /** What fills texts up; `whole`: always to the limit, since the padding is read. */
  readonly padding: { readonly id: number; readonly whole: boolean }
  /** Numbers before those of the text. */
  readonly prefix: number
  /** With the numbers before and after the text. */
  encode(text: string): number[]
  /** ids i64 and mask i64 [n,L] -> tokens [n,L,Dt], pooled [n,Dt] */
  graph(binder: WeightBinder, ids: Tensor, mask: Tensor): { tokens: Tensor; pooled: Tensor }
  /** The parameter that a checkpoint stores as `key`; null for those of other parts. */
  parameterName(key: string, keys: ReadonlySet<string>): string | null
}

const ZERO = { id: 0, whole: false }
const bertBase = { vocab_size: 30522, width: 768, heads: 12, mlp_width: 3072, max_position_embeddings: 512 }
const bertTextSizes = bertSizes.extend({ layers: z.int().positive().default(12) })

/** The setting `text.encoder`, where the text encoder comes from a checkpoint. */
export type TextNetworkKind = JointTower | "bert"

/** Each network by the setting that chooses it. */
export const TEXT_NETWORKS: Readonly<Record<TextNetworkKind, (config: TextNetworkConfig) => Promise<TextNetwork>>> = {
  clip: (config) => clipNetwork("clip", config),
  xclip: (config) => clipNetwork("xclip", config),
  pe_core: (config) => clipNetwork("pe_core", config),
  siglip: siglipNetwork,
  bert: bertNetwork,
}

/** The pairs whose text tower is CLIP's: where sizes and names come from, and what stands for start and end inside texts. */
const CLIP_TOWERS: Record<
  "clip" | "xclip" | "pe_core",
  {
    official: { readonly kind: string; readonly models: Readonly<Record<string, Preset>> }
    sizes: z.ZodType<ClipTextConfig>
    name(key: string, keys: ReadonlySet<string>): string | null
    marks?: readonly [start: string, end: string]
  }
> = {
  clip: { official: clip.visual, sizes: clipTextSizes, name: clipName },
  xclip: { official: xclip.visual, sizes: clipTextSizes, name: xclipName },
  pe_core: {
    official: peCore.visual,
    sizes: peTextSizes,
    name: peName,
    marks: ["<start_of_text>", "<end_of_text>"],
  },
}

async function clipNetwork(
  kind: keyof typeof CLIP_TOWERS,
  { model, sizes, vocabulary }: TextNetworkConfig,
): Promise<TextNetwork> {
  const { official, sizes: schema, name: nameOf, marks } = CLIP_TOWERS[kind]
  const tokenizer = await BpeTokenizer.load(vocabulary, marks)
  const config = parseSizes(schema, { ...presetOf(official, model, "text.network.model").dimensions, ...sizes })
  checkVocabulary(vocabulary, tokenizer.end + 1, config.vocab_size)
  return {
    tower: kind,
    limit: config.context_length,
    width: config.embed_dim,
    padding: ZERO,
    prefix: 1,
    encode: (text) => tokenizer.encodeWithEnds(text, config.context_length),
    parameterName: (key, keys) => {
      const name = nameOf(key, keys)
      return name === null || !isClipText(name) || name.startsWith("logit_") ? null : name
    },
    graph(binder, ids) {
      const { tokens, embedding } = clipTextTower(binder, config, ids)
      const projection = binder.weight("text_projection", [config.text_width, config.embed_dim])
      return { tokens: matmul(tokens, projection), pooled: embedding }
    },
  }
}

async function siglipNetwork({ model, sizes, vocabulary }: TextNetworkConfig): Promise<TextNetwork> {
  const tokenizer = await SentencePieceTokenizer.load(vocabulary)
  const official = optionOf("text.network.model", SIGLIP_TEXT, model)
  const config = parseSizes(siglipTextSizes, { ...official, ...sizes })
  checkVocabulary(vocabulary, tokenizer.size, config.vocab_size)
  return {
    tower: "siglip",
    limit: config.context_length,
    width: config.embed_dim,
    padding: { id: tokenizer.end, whole: true },
    prefix: 0,
    encode: (text) => tokenizer.encodeWithEnd(text, config.context_length),
    parameterName: siglipTextName,
    graph(binder, ids) {
      const { tokens, embedding } = siglipTextTower(binder, config, ids)
      return { tokens, pooled: embedding }
    },
  }
}

/** The value of an official size. @throws FourtierError that lists the names */
function optionOf<T>(where: string, options: Readonly<Record<string, T>>, name: string): T {
  if (Object.hasOwn(options, name)) return options[name]
  throw new FourtierError({
    where,
    what: "no size of this name",
    expected: Object.keys(options).join(", "),
    found: name,
  })
}

async function bertNetwork({ sizes, vocabulary, lower }: TextNetworkConfig): Promise<TextNetwork> {
  const tokenizer = await WordPieceTokenizer.load(vocabulary, lower)
  const config = parseSizes(bertTextSizes, { ...bertBase, ...sizes })
  checkVocabulary(vocabulary, tokenizer.size, config.vocab_size)
  return {
    tower: null,
    limit: config.max_position_embeddings,
    width: config.width,
    padding: ZERO,
    prefix: 1,
    encode: (text) => tokenizer.encodeWithEnds(text, config.max_position_embeddings),
    parameterName: (key) => {
      const name = bertName(key)?.replace(/^(?:text_encoder|bert)\./, "") ?? null
      return name !== null && /^(?:embeddings|encoder)\./.test(name) ? name : null
    },
    graph(binder, ids, mask) {
      const { tokens } = bertTower(binder, config, config.layers, ids, mask)
      const [n, length, width] = tokens.shape
      // words and [SEP]: all but the first of those that count
      const counted = mul(cast(mask, "f32"), firstLeftOut(length))
      const shares = reshape(div(counted, sum(counted, 1, true)), [n, 1, length])
      return { tokens, pooled: reshape(matmul(shares, tokens), [n, width]) }
    },
  }
}

function parseSizes<T>(schema: z.ZodType<T>, sizes: unknown): T {
  const parsed = schema.safeParse(sizes)
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: "text.network.sizes",
    what: "they do not fit the network",
    found: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
  })
}

function checkVocabulary(path: string, found: number, expected: number): void {
  if (found === expected) return
  throw new FourtierError({
    where: path,
    what: "the vocabulary does not belong to the network",
    expected: `${expected} pieces`,
    found: `${found}`,
    fix: "use the vocabulary that comes with the weights, or set text.network.sizes.vocab_size",
  })
}

/** 0, then ones: [1,L] */
function firstLeftOut(length: number): Tensor {
  const ones = new Float32Array(length).fill(1)
  ones[0] = 0
  return constant(ones, [1, length])
}

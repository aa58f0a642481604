/**
 * Names in checkpoints of V-JEPA 2 and 2.1, in those of their attentive probe, and in those of Hugging Face's conversions.
 *
 * ```
 * ema_encoder.module.backbone.blocks.0.norm1.weight ──► blocks.0.norm1.weight
 * classifiers.0.module.pooler.query_tokens ───────────► probe.pooler.query_tokens
 * vjepa2.encoder.layer.0.attention.query.weight ──────► blocks.0.attn.q.weight
 * ```
 */

/** Parts of a checkpoint that hold an encoder: the averaged teachers, which the official code loads, before the student. */
export const VJEPA_SECTIONS = ["ema_encoder", "target_encoder", "encoder"]

/** Hugging Face's names, and what the official code calls the same. There q, k and v are apart. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^embeddings\.patch_embeddings\./, "patch_embed."],
  [/^embeddings\.position_embeddings$/, "pos_embed"],
  [/^layer\./, "blocks."],
  [/\.attention\.(?:attention\.)?(q|k|v)[a-z]+\./, ".attn.$1."],
  [/\.attention\.(?:attention\.)?/, ".attn."],
  [/^layernorm\./, "norm."],
  [/^pooler\.self_attention_layers\./, "pooler.blocks."],
  [/^pooler\.cross_attention_layer\./, "pooler.cross_attention_block."],
  [/\.layer_norm([12])\./, ".norm$1."],
  [/\.self_attn\.(q|k|v)_proj\./, ".attn.$1."],
  [/\.self_attn\.out_proj\./, ".attn.proj."],
  [/\.cross_attn\.(q|k|v)_proj\./, ".xattn.$1."],
  [/^classifier\./, "linear."],
]

const renamed = (name: string) => RENAMED.reduce((text, [pattern, name]) => text.replace(pattern, name), name)

/** The official loaders drop both words wherever they stand in a key. */
const bare = (key: string) => key.replace(/(?:module|backbone)\./g, "").replace(/^vjepa2\./, "")

/**
 * The official code's name of what a checkpoint stores as `key`; the probe's begin with `probe.`. Null for students beside
 * teachers, predictors, optimisers, and the position table, which networks with rotary positions do not use.
 */
export function vjepaName(key: string, keys: ReadonlySet<string>): string | null {
  const name = bare(key)
  const probe = probeName(name)
  if (probe !== null) return probe
  const { section, others } = layoutOf(keys)
  if (section === null && others) return null
  if (section !== null && !name.startsWith(`${section}.`)) return null
  const own = renamed(section === null ? name : name.slice(section.length + 1))
  return own === "pos_embed" || own.startsWith("predictor.") ? null : own
}

/** A probe's file lists one probe for every setting that it was trained with: the first counts. */
function probeName(name: string): string | null {
  const found = /^(?:probe\.|classifiers\.0\.)?((?:pooler|linear|classifier)\..+)$/.exec(name)
  return found === null ? null : `probe.${renamed(found[1])}`
}

interface Layout {
  /** Where the encoder is; null: its names have no prefix. */
  section: string | null
  /** Whether there is no encoder: a file of probes. */
  others: boolean
}

const layouts = new WeakMap<ReadonlySet<string>, Layout>()

/** Of files that have the sections in the names: as in files with dictionaries, one that is cut short does not count. */
function layoutOf(keys: ReadonlySet<string>): Layout {
  const known = layouts.get(keys)
  if (known) return known
  const counts = new Map<string, number>()
  for (const key of keys) {
    const [first] = bare(key).split(".", 1)
    counts.set(first, (counts.get(first) ?? 0) + 1)
  }
  const most = Math.max(...VJEPA_SECTIONS.map((section) => counts.get(section) ?? 0))
  const section = most === 0 ? undefined : VJEPA_SECTIONS.find((name) => (counts.get(name) ?? 0) * 2 >= most)
  const layout = { section: section ?? null, others: counts.has("classifiers") }
  layouts.set(keys, layout)
  return layout
}

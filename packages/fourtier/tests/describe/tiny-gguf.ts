/** Writes a LLaVA of random weights: a one-block Llama and a two-block CLIP encoder with projector, as GGUF files. */

import { writeFileSync } from "node:fs"
import { Rng } from "@fourtier/tensor"

type Kind = "u32" | "i32" | "f32" | "bool" | "text"
type Value = number | boolean | string

const codes: Record<Kind, number> = { u32: 4, i32: 5, f32: 6, bool: 7, text: 8 }

function number(bytes: 1 | 4 | 8, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(bytes)
  write(buffer)
  return buffer
}

const u32 = (value: number) => number(4, (buffer) => buffer.writeUInt32LE(value))
const u64 = (value: number) => number(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)))
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

function bare(kind: Kind, value: Value): Buffer {
  if (kind === "text") return text(String(value))
  if (kind === "bool") return Buffer.of(value ? 1 : 0)
  if (kind === "f32") return number(4, (buffer) => buffer.writeFloatLE(Number(value)))
  return number(4, (buffer) => buffer.writeInt32LE(Number(value)))
}

const one = (kind: Kind, value: Value) => Buffer.concat([u32(codes[kind]), bare(kind, value)])
const many = (kind: Kind, values: Value[]) =>
  Buffer.concat([u32(9), u32(codes[kind]), u64(values.length), ...values.map((value) => bare(kind, value))])

interface Weight {
  shape: number[]
  /** Random without. */
  fill?: number
}

/** The GGUF format, version 3: header, key-value pairs, tensor table, tensors aligned to 32 bytes. */
function writeGguf(path: string, fields: Record<string, Buffer>, weights: Record<string, Weight>): void {
  const rng = new Rng(1)
  const head = [Buffer.from("GGUF"), u32(3), u64(Object.keys(weights).length), u64(Object.keys(fields).length)]
  for (const [name, value] of Object.entries(fields)) head.push(text(name), value)
  const data: Buffer[] = []
  let offset = 0
  for (const [name, { shape, fill }] of Object.entries(weights)) {
    const count = shape.reduce((product, side) => product * side, 1)
    const values = Float32Array.from({ length: count }, () => fill ?? rng.uniform(-0.25, 0.25))
    head.push(text(name), u32(shape.length), ...shape.map(u64), u32(0), u64(offset))
    const padding = Buffer.alloc((32 - (values.byteLength % 32)) % 32)
    data.push(Buffer.from(values.buffer), padding)
    offset += values.byteLength + padding.length
  }
  const header = Buffer.concat(head)
  writeFileSync(path, Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), ...data]))
}

const WIDTH = 64

/** @returns nothing; the files are the language model and the projector */
export function writeTinyLlava(model: string, projector: string): void {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`)
  const words = ["man", "woman", "hug", "kick", "the", "a", "walks", "waves", "hand", "street"].map(
    (word) => `▁${word}`,
  )
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...words]
  const kinds = [2, 3, 3, ...bytes.map(() => 6), ...words.map(() => 1)]
  const square = { shape: [WIDTH, WIDTH] }
  const norm = { shape: [WIDTH], fill: 1 }
  writeGguf(
    model,
    {
      "general.architecture": one("text", "llama"),
      "llama.context_length": one("u32", 2048),
      "llama.embedding_length": one("u32", WIDTH),
      "llama.block_count": one("u32", 1),
      "llama.feed_forward_length": one("u32", 2 * WIDTH),
      "llama.attention.head_count": one("u32", 4),
      "llama.attention.layer_norm_rms_epsilon": one("f32", 1e-5),
      "tokenizer.ggml.model": one("text", "llama"),
      "tokenizer.ggml.tokens": many("text", tokens),
      "tokenizer.ggml.scores": many(
        "f32",
        tokens.map(() => -1),
      ),
      "tokenizer.ggml.token_type": many("i32", kinds),
      "tokenizer.ggml.bos_token_id": one("u32", 1),
      "tokenizer.ggml.eos_token_id": one("u32", 2),
    },
    {
      "token_embd.weight": { shape: [WIDTH, tokens.length] },
      "output_norm.weight": norm,
      "output.weight": { shape: [WIDTH, tokens.length] },
      "blk.0.attn_norm.weight": norm,
      "blk.0.attn_q.weight": square,
      "blk.0.attn_k.weight": square,
      "blk.0.attn_v.weight": square,
      "blk.0.attn_output.weight": square,
      "blk.0.ffn_norm.weight": norm,
      "blk.0.ffn_gate.weight": { shape: [WIDTH, 2 * WIDTH] },
      "blk.0.ffn_up.weight": { shape: [WIDTH, 2 * WIDTH] },
      "blk.0.ffn_down.weight": { shape: [2 * WIDTH, WIDTH] },
    },
  )
  writeGguf(projector, projectorFields(), projectorWeights())
}

function projectorFields(): Record<string, Buffer> {
  return {
    "general.architecture": one("text", "clip"),
    "clip.has_vision_encoder": one("bool", true),
    "clip.has_llava_projector": one("bool", true),
    "clip.projector_type": one("text", "mlp"),
    "clip.use_gelu": one("bool", false),
    "clip.vision.image_size": one("u32", 56),
    "clip.vision.patch_size": one("u32", 14),
    "clip.vision.embedding_length": one("u32", 32),
    "clip.vision.feed_forward_length": one("u32", 64),
    "clip.vision.projection_dim": one("u32", WIDTH),
    "clip.vision.block_count": one("u32", 2),
    "clip.vision.attention.head_count": one("u32", 2),
    "clip.vision.attention.layer_norm_epsilon": one("f32", 1e-5),
    "clip.vision.image_mean": many("f32", [0.5, 0.5, 0.5]),
    "clip.vision.image_std": many("f32", [0.25, 0.25, 0.25]),
  }
}

function projectorWeights(): Record<string, Weight> {
  const weights: Record<string, Weight> = {
    "v.class_embd": { shape: [32] },
    "v.patch_embd.weight": { shape: [14, 14, 3, 32] },
    "v.position_embd.weight": { shape: [32, 17] },
    "mm.0.weight": { shape: [32, WIDTH] },
    "mm.0.bias": { shape: [WIDTH], fill: 0 },
    "mm.2.weight": { shape: [WIDTH, WIDTH] },
    "mm.2.bias": { shape: [WIDTH], fill: 0 },
  }
  const affine = (name: string, shape: number[], fill?: number) => {
    weights[`${name}.weight`] = fill === undefined ? { shape } : { shape, fill }
    weights[`${name}.bias`] = { shape: shape.slice(-1), fill: 0 }
  }
  for (const name of ["v.pre_ln", "v.post_ln"]) affine(name, [32], 1)
  for (const block of ["v.blk.0", "v.blk.1"]) {
    for (const part of ["attn_q", "attn_k", "attn_v", "attn_out"]) affine(`${block}.${part}`, [32, 32])
    for (const part of ["ln1", "ln2"]) affine(`${block}.${part}`, [32], 1)
    affine(`${block}.ffn_down`, [32, 64])
    affine(`${block}.ffn_up`, [64, 32])
  }
  return weights
}

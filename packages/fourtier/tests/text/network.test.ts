/** Protects CLIP's and BERT's tokenisers and their networks as text encoders. */

import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { liveSessions } from "@fourtier/tensor"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { BpeTokenizer } from "../../src/text/bpe.ts"
import { textNetworkSchema, textSchema } from "../../src/text/settings.ts"
import { openTextEncoder } from "../../src/text/targets.ts"
import { WordPieceTokenizer } from "../../src/text/wordpiece.ts"

const MERGES = ["c a", "ca t</w>", "a b", "t h", "th e</w>"]
const PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", "##b", "cat", ",", "!", "日", "naive"]

let folder = ""
const merges = () => join(folder, "merges.txt")
const vocabulary = () => join(folder, "vocab.txt")

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourtier-text-"))
  await writeFile(merges(), gzipSync(`#version: 0.2\n${MERGES.join("\n")}\n`))
  await writeFile(vocabulary(), `${PIECES.join("\n")}\n`)
})
afterAll(async () => rm(folder, { recursive: true, force: true }))

describe("byte pair encoding", () => {
  it("merges by rank inside words, over bytes, without case", async () => {
    const tokenizer = await BpeTokenizer.load(merges())
    const byte = (character: string) => tokenizer.encode(`${character}`)[0] - 256
    const [ca, cat, , , the] = MERGES.map((_, i) => 512 + i)
    expect(tokenizer.encode("The  CAT")).toEqual([the, cat])
    expect(tokenizer.encode("cab")).toEqual([ca, byte("b") + 256])
    expect(tokenizer.encode("&amp;")).toEqual(tokenizer.encode("&"))
    expect(tokenizer.encode("é").length).toBe(2)
    expect(tokenizer.encode("")).toEqual([])
    expect(tokenizer.encodeWithEnds("the cat the cat", 4)).toEqual([517, the, cat, 518])
  })

  it("takes the spelling of start and end that a model has, and no other", async () => {
    const [clip, own] = [
      await BpeTokenizer.load(merges()),
      await BpeTokenizer.load(merges(), ["<start_of_text>", "<end_of_text>"]),
    ]
    expect(clip.encode("<|startoftext|>cat<|endoftext|>")).toEqual([517, clip.encode("cat")[0], 518])
    expect(own.encode("<START_OF_TEXT>cat<end_of_text>")).toEqual([517, clip.encode("cat")[0], 518])
    expect(own.encode("<|endoftext|>")).not.toContain(518)
    expect(clip.encode("<end_of_text>")).not.toContain(518)
  })

  it("refuses a file of another kind", async () => {
    await writeFile(join(folder, "other.txt"), "one\ntwo three four\n")
    await expect(BpeTokenizer.load(join(folder, "other.txt"))).rejects.toThrow(
      /not a list of merges[\s\S]*two three four/,
    )
    await expect(BpeTokenizer.load(join(folder, "none.txt"))).rejects.toThrow(/cannot be read/)
  })
})

describe("WordPiece", () => {
  const numbers = (...pieces: string[]) => pieces.map((piece) => PIECES.indexOf(piece))

  it("takes the longest pieces from the left", async () => {
    const tokenizer = await WordPieceTokenizer.load(vocabulary())
    expect(tokenizer.encode("Unaffable, cat!")).toEqual(numbers("un", "##aff", "##able", ",", "cat", "!"))
    expect(tokenizer.encode("ab abc")).toEqual(numbers("a", "##b", "[UNK]"))
    expect(tokenizer.encode("naïve日cat")).toEqual(numbers("naive", "日", "cat"))
    expect(tokenizer.encode(`${"a".repeat(101)} cat`)).toEqual(numbers("[UNK]", "cat"))
    expect(tokenizer.encode(" \t\u0000\n")).toEqual([])
    expect(tokenizer.encodeWithEnds("cat cat cat", 4)).toEqual(numbers("[CLS]", "cat", "cat", "[SEP]"))
  })

  it("keeps case where the model knows it", () => {
    expect(new WordPieceTokenizer(PIECES, false).encode("Cat")).toEqual(numbers("[UNK]"))
    expect(() => new WordPieceTokenizer(["a"])).toThrow(/no piece \[UNK\]/)
  })
})

describe("text networks with random weights", () => {
  const clipSizes = { vocab_size: 519, context_length: 8, text_width: 16, text_heads: 2, text_layers: 2, embed_dim: 8 }
  const bertSizes = {
    vocab_size: PIECES.length,
    width: 16,
    heads: 2,
    mlp_width: 32,
    max_position_embeddings: 8,
    layers: 2,
  }
  const open = (encoder: string, vocabulary: string, sizes: object) =>
    openTextEncoder(textSchema.parse({ encoder, network: { checkpoint: "random", vocabulary, sizes } }))

  it.each(["clip", "bert"])("%s: a text's vectors do not depend on its company, long texts are cut", async (kind) => {
    const encoder = kind === "clip" ? await open(kind, merges(), clipSizes) : await open(kind, vocabulary(), bertSizes)
    const texts = ["cat", "the cat", "cat, cat! cat", "a cat ".repeat(20), ""]
    const together = await encoder.embed(texts)
    for (const [i, text] of texts.entries()) {
      const alone = await encoder.embed([text])
      for (const [d, value] of alone.pooled[0].entries()) expect(together.pooled[i][d]).toBeCloseTo(value, 4)
      expect(together.tokens[i].length).toBe(alone.tokens[0].length)
      expect(together.tokens[i].data.length).toBe(alone.tokens[0].length * encoder.width)
      for (const [d, value] of alone.tokens[0].data.entries()) expect(together.tokens[i].data[d]).toBeCloseTo(value, 4)
    }
    expect(together.tokens[3].length).toBe(6)
    expect(together.tokens[4].length).toBe(0)
    await encoder.release()
    expect(liveSessions()).toBe(0)
  })

  it("says when vocabulary and network differ, and when files are not named", async () => {
    await expect(open("bert", vocabulary(), { ...bertSizes, vocab_size: 20 })).rejects.toThrow(/20 pieces/)
    await expect(openTextEncoder(textSchema.parse({ encoder: "clip" }))).rejects.toThrow(/text\.network/)
    expect(textNetworkSchema.safeParse({ checkpoint: "random" }).success).toBe(false)
  })
})

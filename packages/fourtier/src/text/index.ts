/**
 * `fourtier/text`: texts to vectors.
 *
 * 1. `embed.ts` what every text encoder offers; token vectors resampled to the rows of e_i.
 * 2. `tokenizer.ts`, `use.ts` Universal Sentence Encoder Lite.
 * 3. `bpe.ts`, `wordpiece.ts`, `sentencepiece.ts`, `towers.ts`, `network.ts` text towers and BERT, from checkpoints.
 * 4. `class-texts.ts` what stands for a class in a space shared with pictures.
 * 5. `cache.ts` embeddings on disk: no text is embedded twice.
 *
 * @module
 */

export { BpeTokenizer } from "./bpe.ts"
export { CachedTextEncoder } from "./cache.ts"
export { classTexts, embedClasses } from "./class-texts.ts"
export { resampleTokens, type TextEmbeddings, type TextEncoder, type TokenVectors } from "./embed.ts"
export { openTextNetwork } from "./network.ts"
export { SentencePieceTokenizer } from "./sentencepiece.ts"
export {
  type TextConfig,
  type TextNetworkConfig,
  textNetworkSchema,
  textSchema,
  type ZeroShotConfig,
  zeroShotSchema,
} from "./settings.ts"
export type { Answers, EmbeddedTexts, TextEmbeddingTable } from "./targets.ts"
export { UnigramTokenizer, type Vocabulary } from "./tokenizer.ts"
export type { TextNetworkKind } from "./towers.ts"
export { loadUse, USE_MAX_TOKENS, type UseOptions } from "./use.ts"
export { WordPieceTokenizer } from "./wordpiece.ts"

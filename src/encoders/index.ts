/**
 * `fourtier/encoders`: frozen visual encoders, and their maps on disk.
 *
 * 1. `catalog.ts` every kind of encoder and how a config names one; `encoder.ts` what they all offer.
 * 2. `extract.ts` clips through an encoder, once.
 * 3. `store.ts`   the maps, read by offset ever after.
 */

export { type EncoderConfig, encoderSchema, openVisualEncoder } from "./catalog.ts"
export { encoderShapes, FRAMES, MAP, openEncoder, type VisualEncoder } from "./encoder.ts"
export { type Extraction, type ExtractOptions, extractFeatures, type ViewRecipe, viewCount } from "./extract.ts"
export { type MapSize, placesOf } from "./map.ts"
export {
  type FeatureKind,
  FeatureStore,
  FeatureWriter,
  type RecordKey,
  type RecordSize,
  type StoreSpec,
} from "./store.ts"

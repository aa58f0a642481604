/** The address of a clip's file, for as long as something shows it. */

import { useEffect, useState } from "preact/hooks"
import type { Model } from "./model.ts"

/**
 * @param wanted whether it is shown
 * @returns null until it is there, and where there is none
 */
export function useMedia(model: Model, id: string, wanted = true): string | null {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    if (!wanted) return
    let free = () => {}
    let gone = false
    void model.home.media(id).then(
      (media) => {
        if (gone) return media.free()
        free = media.free
        setUrl(media.url)
      },
      () => {},
    )
    return () => {
      gone = true
      free()
      setUrl(null)
    }
  }, [id, wanted])
  return url
}

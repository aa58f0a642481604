/** Addresses of files and pictures, for as long as something shows them. */

import { useEffect, useState } from "preact/hooks"
import type { Model } from "./model.ts"

/** An address that its caller frees. */
interface Address {
  url: string
  free(): void
}

/**
 * @param wanted whether it is shown
 * @returns null until it is there, and where there is none
 */
export function useMedia(model: Model, id: string, wanted = true): string | null {
  return useAddress(() => model.home.media(id), id, wanted)
}

/** The same of anything that has an address. @param id what is shown: another one is loaded anew */
export function useAddress(load: () => Promise<Address>, id: string, wanted = true): string | null {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    if (!wanted) return
    let free = () => {}
    let gone = false
    void load().then(
      (address) => {
        if (gone) return address.free()
        free = address.free
        setUrl(address.url)
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

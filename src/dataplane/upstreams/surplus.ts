/** What has to be known of an endpoint that may have too much. */
export type Loaded = { readonly load: number; readonly share: number };

/**
 * How many sessions each has above its share of all, in the order given; 0 for those within the tolerance (in percent). Whoever gives up so
 * many is not left with less than its share.
 */
export function surplusOf(endpoints: readonly Loaded[], tolerance: number): readonly number[] {
  const load = endpoints.reduce((sum, endpoint) => sum + endpoint.load, 0);
  const share = endpoints.reduce((sum, endpoint) => sum + endpoint.share, 0);
  return endpoints.map((endpoint) => {
    const due = (load * endpoint.share) / share;
    const isTooMuch = endpoint.load > due * (1 + tolerance / 100) && endpoint.load >= due + 1;
    return isTooMuch ? Math.floor(endpoint.load - due) : 0;
  });
}

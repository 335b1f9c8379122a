/** The benchmark tools for the peers, declared with zod as in their documentation. */
import { z } from 'zod';
import { INPUT_PROPERTIES } from '../lib/workload.mjs';

export const inputShape = {
  customer_id: z.string().describe(INPUT_PROPERTIES.customer_id.description),
  limit: z.number().int().optional().describe(INPUT_PROPERTIES.limit.description),
};
export const input = z.object(inputShape);

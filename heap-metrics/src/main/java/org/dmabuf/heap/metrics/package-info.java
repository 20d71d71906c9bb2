// SPDX-License-Identifier: Apache-2.0
/** Metrics of heaps and clients over HTTP: the configuration, the endpoint, the figures, and their text formats. */
package org.dmabuf.heap.metrics;

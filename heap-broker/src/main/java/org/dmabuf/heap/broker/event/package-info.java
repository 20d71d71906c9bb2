// SPDX-License-Identifier: Apache-2.0
/** Events of the broker, and the receivers that record or post them. */
package org.dmabuf.heap.broker.event;

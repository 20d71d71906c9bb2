// SPDX-License-Identifier: Apache-2.0
/** Felix Health Checks of the gateway: their configuration and the checks. */
package org.dmabuf.heap.health;

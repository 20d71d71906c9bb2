// SPDX-License-Identifier: Apache-2.0
/** Checks of configuration files: what the gateway cannot use is told in the log, with file and line. */
package org.dmabuf.heap.gateway.configuration;

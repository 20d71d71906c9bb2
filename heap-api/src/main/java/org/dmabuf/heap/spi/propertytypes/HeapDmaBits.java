// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Number of address bits: all physical addresses are below 2 to this power. The component property
 * {@code heap.dma.bits}, see {@link org.dmabuf.heap.HeapProperties#DMA_BITS}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapDmaBits {
    /** {@return the value of {@code heap.dma.bits}} */
    int value();
}

// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Whether descriptors can be exported through which no holder can write. The component property {@code
 * heap.export.readonly}, see {@link org.dmabuf.heap.HeapProperties#EXPORT_READONLY}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapExportReadonly {
    /** {@return the value of {@code heap.export.readonly}} */
    boolean value() default true;
}

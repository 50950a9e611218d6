"""The language between stations and the service: ids, messages, topics, codec. No IO."""

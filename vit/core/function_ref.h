// A callable passed down the stack: what std::function is for, without its memory.
#pragma once

#include <type_traits>
#include <utility>

namespace vit {

template <class Signature>
class FunctionRef;

/// Refers to a callable that must outlive it; two pointers, passed by value.
template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
 public:
  template <class Body>
  requires(!std::is_same_v<std::remove_cvref_t<Body>, FunctionRef> &&
           std::is_invocable_r_v<Result, const Body&, Args...>)
      FunctionRef(const Body& body)  // NOLINT(google-explicit-constructor): stands for the body
      : body_(&body), call_([](const void* b, Args... args) -> Result {
          return (*static_cast<const Body*>(b))(std::forward<Args>(args)...);
        }) {}

  Result operator()(Args... args) const { return call_(body_, std::forward<Args>(args)...); }

 private:
  const void* body_;
  Result (*call_)(const void*, Args...);
};

}  // namespace vit

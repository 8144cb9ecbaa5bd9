#include "console.h"

namespace sim {
namespace {

constexpr int kLineTooLong = 71;

}  // namespace

Line& Line::Text(const char* key, const char* value) {
  Key(key);
  Quoted(value);
  return *this;
}

Line& Line::Number(const char* key, std::uint64_t value) {
  Key(key);
  char digits[20];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count != 0) Put(digits[--count]);
  return *this;
}

Line& Line::Hex(const char* key, const std::uint8_t* data, std::size_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  Key(key);
  Put('"');
  for (std::size_t i = 0; i < bytes; ++i) {
    Put(kDigits[data[i] >> 4]);
    Put(kDigits[data[i] & 15]);
  }
  Put('"');
  return *this;
}

void Line::Print() {
  if (size_ == 0) Put('{');
  Put('}');
  Put('\n');
  Put('\0');
  Write(text_);
  size_ = 0;
}

void Line::Put(char c) {
  if (size_ == sizeof(text_)) Exit(kLineTooLong);
  text_[size_++] = c;
}

void Line::Key(const char* key) {
  Put(size_ == 0 ? '{' : ',');
  Quoted(key);
  Put(':');
}

void Line::Quoted(const char* text) {
  Put('"');
  for (; *text != '\0'; ++text) {
    if (*text == '"' || *text == '\\') Put('\\');
    Put(*text < ' ' ? '?' : *text);
  }
  Put('"');
}

}  // namespace sim
